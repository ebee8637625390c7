import { DataCloneError, isMainThread, ProcessPoolExecutor, task, WorkerDiedError } from 'manyhands'

const parse = task(import.meta.url, function parse(text: string) {
  return JSON.parse(text) as unknown
})

const crash = task(import.meta.url, function crash() {
  process.exit(3)
})

if (isMainThread) {
  const executor = new ProcessPoolExecutor()

  const thrown = await executor.submit(parse, 'not JSON').exception()
  console.log(thrown instanceof SyntaxError) // → true

  const unsendable = await executor.submit((options: object) => options, { onDone: () => {} }).exception()
  console.log(unsendable instanceof DataCloneError && unsendable.path) // → args[0].onDone

  const death = await executor.submit(crash).exception()
  console.log(death instanceof WorkerDiedError && death.exitcode) // → 3

  console.log(await executor.submit(parse, '"another worker takes over"')) // → another worker takes over
  await executor.shutdown()
}
