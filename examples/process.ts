// A process that takes three seconds, seen from the main program. With the argument `terminate`, it is ended after one.
//   node .build/examples/process.js [terminate]
import { setTimeout as sleep } from 'node:timers/promises'
import { currentProcess, isMainThread, Process, task } from 'manyhands'

function log(message: string): void {
  console.log(`${new Date().toTimeString().slice(0, 8)}: ${message}`)
}

const work = task(import.meta.url, async function work() {
  const { name } = currentProcess()
  log(`${name} starts`)
  await sleep(3000)
  log(`${name} ends`)
})

if (isMainThread) {
  log('main: before creating the process')
  const worker = new Process({ target: work })

  log('main: before starting the process')
  worker.start()

  log(`main: the process runs, alive: ${worker.isAlive()}`)
  if (process.argv.includes('terminate')) {
    await worker.join({ timeout: 1000 })
    log('main: terminating the process')
    worker.terminate()
  }

  log('main: waiting for the process to end')
  await worker.join()
  log(`main: done, alive: ${worker.isAlive()}, exitcode: ${worker.exitcode}`)
}
