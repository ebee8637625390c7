import { currentProcess, isMainThread, Process, task } from 'manyhands'

const greet = task(import.meta.url, function greet(whom: string) {
  console.log(`${currentProcess().name} greets ${whom}`) // → greeter greets the world
})

if (isMainThread) {
  const greeter = new Process({ target: greet, args: ['the world'], name: 'greeter' })
  greeter.start()
  await greeter.join()
  console.log(greeter.isAlive(), greeter.exitcode) // → false 0
}
