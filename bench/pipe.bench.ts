// How long does a message take to another thread and back? A small object over a Pipe, with both ends blocking and with both
// awaiting, beside bare MessagePorts used in the same ways, and Python's Pipe, whose ends block.
import { isMainThread, Pipe, Process, task, type Connection } from 'manyhands'
import { MessageChannel, receiveMessageOnPort, type MessagePort } from 'node:worker_threads'
import { measure, report } from './measure.js'
import { startPython } from './python.js'

const ROUNDS = 15
const TRIPS = 4000
const WARM_UP = 2000
const MESSAGE = { id: 1, name: 'ping' }

const PYTHON = `
import multiprocessing, time
def echo(connection):
    while True:
        message = connection.recv()
        if message is None: return
        connection.send(message)
here = None
def trips(count):
    start = time.perf_counter()
    for _ in range(count):
        here.send({'id': 1, 'name': 'ping'})
        here.recv()
    return (time.perf_counter() - start) / count * 1e6
def pipe():
    global here
    if here is None:
        here, there = multiprocessing.Pipe()
        multiprocessing.Process(target=echo, args=(there,), daemon=True).start()
        trips(${WARM_UP})
    return trips(${TRIPS})
`

const echoSync = task(import.meta.url, function echoSync(connection: Connection) {
  for (let message; (message = connection.recvSync()) !== null;) connection.send(message)
})

const echoAsync = task(import.meta.url, async function echoAsync(connection: Connection) {
  for (let message; (message = await connection.recv()) !== null;) connection.send(message)
})

const echoPortSync = task(import.meta.url, function echoPortSync(port: MessagePort, counts: Int32Array) {
  for (let message; (message = portRecvSync(port, counts, 1)) !== null;) portSend(port, counts, 0, message)
})

const echoPort = task(import.meta.url, function echoPort(port: MessagePort) {
  port.on('message', (message) => (message === null ? port.close() : port.postMessage(message)))
})

function portSend(port: MessagePort, counts: Int32Array, to: number, message: unknown): void {
  port.postMessage(message)
  Atomics.add(counts, to * 32, 1)
  Atomics.notify(counts, to * 32)
}

function portRecvSync(port: MessagePort, counts: Int32Array, side: number): unknown {
  for (;;) {
    const seen = Atomics.load(counts, side * 32)
    const received = receiveMessageOnPort(port)
    if (received) return received.message
    Atomics.wait(counts, side * 32, seen)
  }
}

/** Microseconds per round trip. */
async function trips(trip: () => unknown, count: number): Promise<number> {
  const start = performance.now()
  for (let i = 0; i < count; i++) {
    const answer = trip()
    if (answer instanceof Promise) await answer
  }
  return ((performance.now() - start) / count) * 1000
}

if (isMainThread) {
  const python = startPython(PYTHON)
  const ends: (() => void)[] = []
  const blocking = (() => {
    const [here, there] = Pipe()
    new Process({ target: echoSync, args: [there] }).start()
    ends.push(() => here.send(null))
    return () => {
      here.send(MESSAGE)
      here.recvSync()
    }
  })()
  const awaiting = (() => {
    const [here, there] = Pipe()
    new Process({ target: echoAsync, args: [there] }).start()
    ends.push(() => here.send(null))
    return () => {
      here.send(MESSAGE)
      return here.recv()
    }
  })()
  const portsBlocking = (() => {
    const { port1, port2 } = new MessageChannel()
    const counts = new Int32Array(new SharedArrayBuffer(256))
    new Process({ target: echoPortSync, args: [port2, counts], transfer: [port2] }).start()
    ends.push(() => portSend(port1, counts, 1, null))
    return () => {
      portSend(port1, counts, 1, MESSAGE)
      portRecvSync(port1, counts, 0)
    }
  })()
  const portsAwaiting = (() => {
    const { port1, port2 } = new MessageChannel()
    new Process({ target: echoPort, args: [port2], transfer: [port2] }).start()
    let answered: (message: unknown) => void
    port1.on('message', (message) => answered(message))
    ends.push(() => port1.postMessage(null))
    return () => {
      port1.postMessage(MESSAGE)
      return new Promise((resolve) => (answered = resolve))
    }
  })()
  const contender = (name: string, trip: () => unknown) => ({ name, measure: () => trips(trip, TRIPS) })
  for (const trip of [blocking, awaiting, portsBlocking, portsAwaiting]) await trips(trip, WARM_UP)
  const both = await measure(
    [
      contender('Pipe, blocking', blocking),
      contender('MessagePorts, blocking', portsBlocking),
      ...(python ? [{ name: 'Python Pipe', measure: () => python.call('pipe') }] : []),
    ],
    ROUNDS,
  )
  report(both, 'µs', 'MessagePorts, blocking')
  const events = await measure(
    [contender('Pipe, awaiting', awaiting), contender('MessagePorts, awaiting', portsAwaiting)],
    ROUNDS,
  )
  report(events, 'µs', 'MessagePorts, awaiting')
  for (const end of ends) end()
  python?.close()
}
