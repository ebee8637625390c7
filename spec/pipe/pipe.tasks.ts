// What the processes of the specs of Pipe do.
import { Connection, Lock, Process, task, Value, type EOFError } from 'manyhands'

/** Send back all that comes, blocking, until the end of file. */
export const echoSync = task(import.meta.url, function echoSync(connection: Connection) {
  for (;;) {
    try {
      connection.send(connection.recvSync())
    } catch (reason) {
      if ((reason as EOFError).code === 'ERR_MANYHANDS_EOF') return
      throw reason
    }
  }
})

/** The same without blocking. */
export const echo = task(import.meta.url, async function echo(connection: Connection) {
  for await (const value of connection) connection.send(value)
})

/** Receive everything there is, and tell what ended it. */
export const drainInto = task(import.meta.url, function drainInto(from: Connection, report: Connection) {
  const values: unknown[] = []
  try {
    for (;;) values.push(from.recvSync())
  } catch (reason) {
    report.send([values, (reason as EOFError).code])
  }
})

/** Say that it is there, and wait in recvSync for what never comes. */
export const waitForEver = task(import.meta.url, function waitForEver(connection: Connection) {
  connection.send('waiting')
  connection.recvSync()
})

export const sendThenReturn = task(import.meta.url, function sendThenReturn(connection: Connection, count: number) {
  for (let i = 0; i < count; i++) connection.send(i)
})

/** Send six messages that the main thread's stack does not suffice to read, and one that it does after each. */
export const sendDeep = task(import.meta.url, function sendDeep(connection: Connection) {
  let deep: unknown = 0
  for (let i = 0; i < 6000; i++) deep = { deep }
  for (let i = 0; i < 6; i++) {
    connection.send(deep)
    connection.send(1)
  }
})

export const addThrough = task(import.meta.url, function addThrough(connection: Connection) {
  const { deep } = connection.recvSync() as { deep: Map<string, [Value<'i'>, Lock]> }
  const [value, lock] = deep.get('both')!
  lock.acquireSync()
  value.value += 41
  lock.release()
  connection.send('added')
})

/** Receive a connection through a connection, and answer through it. */
export const answerThrough = task(import.meta.url, function answerThrough(connection: Connection) {
  const { end } = connection.recvSync() as { end: Connection }
  end.send(['got', end.recvSync()])
})

/** Die with a connection unread in its inbox. */
export const neverReceives = task(import.meta.url, function neverReceives(connection: Connection) {
  connection.send('here')
  connection.pollSync(Infinity)
})

export const flood = task(import.meta.url, function flood(connection: Connection) {
  for (let i = 0; ; i++) {
    connection.send({ i, check: i * 7 })
    connection.recvSync()
  }
})

export const give = task(import.meta.url, function give(connection: Connection) {
  return { connection, first: connection.recvSync() }
})

/** As `echoSync`, until it is told to exit. */
export const echoUntilExit = task(import.meta.url, function echoUntilExit(connection: Connection) {
  for (;;) {
    const value = connection.recvSync()
    if (value === 'exit') process.exit(3)
    connection.send(value)
  }
})

const echoes = { echo, echoSync, echoUntilExit }

export interface HandDown {
  target: keyof typeof echoes
  daemon?: boolean
  /** What this process does while its child runs. */
  meanwhile: 'is blocked' | 'awaits' | 'has returned'
}

/** Receive one message, and pass the connection on to a process of this one's own, which is terminated when somebody says so. */
export const handDown = task(
  import.meta.url,
  async function handDown(connection: Connection, control: Connection, { target, daemon, meanwhile }: HandDown) {
    const first = connection.recvSync()
    const child = new Process({ target: echoes[target], args: [connection], daemon }).start()
    control.send({ first, closed: connection.closed })
    if (meanwhile === 'has returned') return
    if (meanwhile === 'is blocked') return child.joinSync()
    for await (const _ of control) child.terminate()
  },
)
