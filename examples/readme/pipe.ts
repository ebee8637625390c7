import { isMainThread, Pipe, Process, task, type Connection } from 'manyhands'

const count = task(import.meta.url, function count(connection: Connection) {
  const { upTo } = connection.recvSync()
  let total = 0
  for (let n = 1; n <= upTo; n++) total += n
  connection.send({ upTo, total })
})

if (isMainThread) {
  const [here, there] = Pipe()
  new Process({ target: count, args: [there] }).start()
  here.send({ upTo: 10_000 })
  console.log(await here.recv()) // → { upTo: 10000, total: 50005000 }
  const thrown = await here.recv().catch((error) => error)
  console.log(thrown.code) // → ERR_MANYHANDS_EOF
}
