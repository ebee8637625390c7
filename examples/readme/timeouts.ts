import { isMainThread, ProcessPoolExecutor, task, TimeoutError } from 'manyhands'

const spin = task(import.meta.url, function spin() {
  for (;;);
})

if (isMainThread) {
  const executor = new ProcessPoolExecutor()

  // A limit on the task: its worker is stopped and replaced.
  const limited = executor.with({ timeout: 500 }).submit(spin)
  console.log((await limited.exception()) instanceof TimeoutError) // → true

  // A limit on the waiting: the task goes on.
  const future = executor.submit(spin)
  const late = await future.result({ timeout: 100 }).catch((error) => error)
  console.log(late instanceof TimeoutError, future.done()) // → true false

  console.log(await future.cancel({ force: true }), future.cancelled()) // → true true
  await executor.shutdown()
}
