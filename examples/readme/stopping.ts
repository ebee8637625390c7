import { currentProcess, isMainThread, Process, task } from 'manyhands'

const count = task(import.meta.url, function count(politely: boolean) {
  for (let n = 0; ; n++) if (politely && currentProcess().cancelled) return
})

if (isMainThread) {
  const rude = new Process({ target: count, args: [false] }).start()
  rude.terminate()
  await rude.join()
  console.log(rude.exitcode) // → -15

  const polite = new Process({ target: count, args: [true] }).start()
  polite.terminate({ grace: 10_000 })
  await polite.join()
  console.log(polite.exitcode) // → 0
}
