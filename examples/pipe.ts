// A process counts, sends the total over its end of a Pipe and closes the end. The main program joins it, receives and prints.
import { isMainThread, Pipe, Process, task, type Connection } from 'manyhands'

const N = Number(process.argv[2] ?? 10_000)

const count = task(import.meta.url, function count(connection: Connection<number>, upTo: number) {
  let total = 0
  for (let i = 0; i < upTo; i++) total++
  connection.send(total)
  connection.close()
})

if (isMainThread) {
  const [here, there] = Pipe<number>()
  const counter = new Process({ target: count, args: [there, N] }).start()
  await counter.join()
  console.log(await here.recv())
  here.close()
}
