import { once } from 'node:events'
import { open } from 'node:fs/promises'
import { setImmediate as turn } from 'node:timers/promises'
import { Connection, Lock, Pipe, Process, ProcessPoolExecutor, Value } from 'manyhands'
import { assert, runProgram, suite, thrownBy } from '../harness.js'
import {
  addThrough,
  answerThrough,
  drainInto,
  echo,
  echoSync,
  flood,
  give,
  handDown,
  neverReceives,
  sendDeep,
  sendThenReturn,
  waitForEver,
  type HandDown,
} from './pipe.tasks.js'

const test = suite('Pipe and Connection')

const BROKEN = 'ERR_MANYHANDS_BROKEN_PIPE'
const CLOSED = 'ERR_MANYHANDS_CONNECTION_CLOSED'
const CLONE = 'ERR_MANYHANDS_DATA_CLONE'
const EOF = 'ERR_MANYHANDS_EOF'
const TIMEOUT = 'ERR_MANYHANDS_TIMEOUT'

const codeOf = async (fn: () => unknown): Promise<string> => (await thrownBy(fn)).code

function start<A extends unknown[]>(target: (...args: A) => unknown, ...args: A): Process {
  return new Process({ target, args }).start()
}

test('a Pipe carries values both ways, in order, by every form of receiving', async () => {
  const [a, b] = Pipe()
  for (const value of [1, 'two', { three: [3] }, undefined, null, 6n]) a.send(value)
  assert.is(await b.recv(), 1)
  assert.is(b.recvSync(), 'two')
  assert.equal(b.tryRecv(), { value: { three: [3] } })
  assert.equal(b.tryRecv(), { value: undefined })
  assert.is(b.recvSync(0), null)
  assert.is(await b.recv(0), 6n)
  assert.is(b.tryRecv(), undefined)
  b.send('back')
  assert.is(a.recvSync(), 'back')
  a.close()
  b.close()
})

test('a value that looks like a message of the protocol arrives as it is', () => {
  const [a, b] = Pipe()
  const value = ['$manyhands:packed', { value: 1, handles: true }]
  a.send(value)
  assert.equal(b.recvSync(), value)
  a.close()
})

test('pending receives are served in the order of their calls', async () => {
  const [a, b] = Pipe()
  const pending = [b.recv(), b.recv(), b.recv()]
  for (const i of [1, 2, 3]) a.send(i)
  assert.equal(await Promise.all(pending), [1, 2, 3])
  a.close()
})

for (const target of [echoSync, echo])
  test(`a Pipe talks with a process, which ${target === echo ? 'awaits' : 'blocks'}; this thread does both`, async () => {
    const [here, there] = Pipe()
    const process = start(target, there)
    for (let i = 0; i < 100; i++) {
      here.send({ i })
      assert.equal(here.recvSync(), { i })
      here.send(i)
      assert.is(await here.recv(), i)
    }
    here.close()
    await process.join()
    assert.is(process.exitcode, 0)
  })

test('a receive gives up in time, and leaves what comes later to the next', async () => {
  const [a, b] = Pipe()
  assert.is(await codeOf(() => b.recv({ timeout: 5 })), TIMEOUT)
  assert.is(await codeOf(() => b.recv(0)), TIMEOUT)
  assert.is(await codeOf(() => b.recvSync(5)), TIMEOUT)
  assert.is(await codeOf(() => b.recvSync(-1)), TIMEOUT)
  const stop = new AbortController()
  const aborted = thrownBy(() => b.recv({ signal: stop.signal }))
  stop.abort('enough')
  assert.is(await aborted, 'enough')
  assert.is(await thrownBy(() => b.recv({ signal: AbortSignal.abort('before') })), 'before')
  a.send('later')
  assert.is(await b.recv(), 'later')
  a.close()
})

test('a Connection refuses times that are none', async () => {
  const [a, b] = Pipe()
  assert.instance(await thrownBy(() => b.recvSync(NaN)), RangeError)
  assert.instance(await thrownBy(() => b.recv(NaN)), RangeError)
  assert.instance(await thrownBy(() => b.pollSync(NaN)), RangeError)
  assert.instance(await thrownBy(() => b.poll('1' as never)), TypeError)
  assert.instance(await thrownBy(() => b.recv({ signal: {} as never })), TypeError)
  a.close()
})

test('a poll tells of a message, at once or in time, and takes nothing', async () => {
  const [a, b] = Pipe()
  assert.is(b.pollSync(), false)
  assert.is(await b.poll(), false)
  assert.is(b.pollSync(5), false)
  assert.is(await b.poll({ timeout: 5 }), false)
  const later = b.poll({ timeout: Infinity })
  a.send('x')
  assert.is(await later, true)
  assert.is(b.pollSync(), true)
  assert.is(await b.poll(), true)
  assert.is(b.recvSync(), 'x')
  assert.is(b.pollSync(), false)
  a.close()
  assert.is(b.pollSync(), true, 'the end of file is there to be met')
  assert.is(await b.poll(), true)
})

test('a receive drains what a closed end sent, and then throws EOFError', async () => {
  const [a, b] = Pipe()
  for (const i of [1, 2, 3, 4]) a.send(i)
  a.close()
  a.close()
  assert.is(a.closed, true)
  assert.is(b.closed, false)
  assert.equal([b.recvSync(), await b.recv(), b.tryRecv(), b.recvSync()], [1, 2, { value: 3 }, 4])
  for (const use of [() => b.recv(), () => b.recvSync(), () => b.tryRecv(), () => b.recvBytes()])
    assert.is(await codeOf(use), EOF)
  assert.is(await codeOf(() => b.send(1)), BROKEN)
  assert.is(await codeOf(() => b.sendBytes(new Uint8Array(1))), BROKEN)
})

test('closing either end ends pending receives', async () => {
  const [a, b] = Pipe()
  const atEnd = codeOf(() => b.recv())
  a.close()
  assert.is(await atEnd, EOF)
  const [c, d] = Pipe()
  const own = codeOf(() => d.recv())
  const polled = codeOf(() => d.poll(Infinity))
  d.close()
  assert.is(await own, CLOSED)
  assert.is(await polled, CLOSED)
  c.close()
})

test('a closed end refuses every use', async () => {
  const [a, b] = Pipe()
  a.close()
  const uses = [
    () => a.send(1),
    () => a.recv(),
    () => a.recvSync(),
    () => a.tryRecv(),
    () => a.poll(),
    () => a.pollSync(),
  ]
  for (const use of [...uses, () => a.sendBytes(new Uint8Array(1)), () => Connection.wait([a])])
    assert.is(await codeOf(use), CLOSED)
  assert.is(await codeOf(() => b.send(a)), BROKEN)
  const [c, d] = Pipe()
  assert.is(await codeOf(() => c.send({ a })), CLOSED)
  c.close()
  d.close()
  {
    using e = Pipe()[0]
    assert.is(e.closed, false)
  }
})

test('a loop over a Connection ends at the end of file', async () => {
  const [a, b] = Pipe()
  start(sendThenReturn, a, 1000)
  const got: number[] = []
  for await (const i of b) got.push(i)
  assert.equal(got, [...Array(1000).keys()])
})

test('a Pipe with duplex: false goes one way, reader first', async () => {
  const [reader, writer] = Pipe({ duplex: false })
  writer.send(1)
  assert.is(reader.recvSync(), 1)
  for (const use of [() => reader.send(1), () => reader.sendBytes(new Uint8Array(1))])
    assert.match((await thrownBy(use)).message, /only receives/)
  for (const use of [
    () => writer.recv(),
    () => writer.recvSync(),
    () => writer.tryRecv(),
    () => writer.poll(),
    () => writer.pollSync(),
    () => writer.recvBytes(),
  ])
    // prettier-ignore
    assert.match((await thrownBy(use)).message, /only sends/)
  reader.close()
  assert.is(await codeOf(() => writer.send(1)), BROKEN)
})

test('a Pipe refuses bad options', async () => {
  assert.match((await thrownBy(() => Pipe({ duplex: 1 as never }))).message, /duplex must be true or false, not 1/)
  assert.instance(await thrownBy(() => Pipe(null as never)), TypeError)
  assert.instance(await thrownBy(() => new Connection()), TypeError)
  const [a] = Pipe()
  assert.instance(await thrownBy(() => a.send(1, 5 as never)), TypeError)
  a.close()
})

test('sendBytes sends the bytes of views, whole or in part', async () => {
  const [a, b] = Pipe()
  const bytes = Uint8Array.from({ length: 100 }, (_, i) => i)
  const view = bytes.subarray(10, 20)
  a.sendBytes(view)
  a.sendBytes(view, 8)
  a.sendBytes(view, 2, 3)
  a.sendBytes(new Uint16Array(bytes.buffer, 4, 1))
  a.sendBytes(bytes.buffer, 99)
  a.sendBytes(Buffer.from('pooled'))
  a.sendBytes(view, 10)
  bytes.fill(0)
  assert.equal([...(await b.recvBytes())], [10, 11, 12, 13, 14, 15, 16, 17, 18, 19])
  assert.equal([...b.recvBytesSync()], [18, 19])
  assert.equal([...b.recvBytesSync()], [12, 13, 14])
  assert.equal([...b.recvBytesSync()], [4, 5])
  assert.equal([...b.recvBytesSync()], [99])
  assert.is(Buffer.from(await b.recvBytes()).toString(), 'pooled')
  assert.is(b.recvBytesSync().length, 0)
  for (const [offset, size] of [[-1], [11], [0, 11], [5, 6], [0.5], [NaN], [0, -1]])
    assert.instance(await thrownBy(() => a.sendBytes(view, offset, size)), RangeError)
  for (const wrong of ['text', [1], null]) assert.instance(await thrownBy(() => a.sendBytes(wrong as never)), TypeError)
  assert.is(b.pollSync(), false)
  a.send('not bytes')
  assert.instance(await thrownBy(() => b.recvBytes()), TypeError)
  assert.is(b.recvSync(), 'not bytes')
  a.close()
})

test('recvBytesInto copies a message of bytes to the start of a view, and returns its length', async () => {
  const [a, b] = Pipe()
  const bytes = Uint8Array.from({ length: 16 }, (_, i) => i)
  const memory = () => new ArrayBuffer(24)
  const views = [new Uint8Array(memory(), 3, 20), Buffer.from(memory(), 1), new Float64Array(memory(), 8, 2), new DataView(memory(), 5), memory(), new SharedArrayBuffer(16)] // prettier-ignore
  for (const view of views)
    for (const sync of [false, true]) {
      a.sendBytes(bytes)
      assert.is(sync ? b.recvBytesIntoSync(view) : await b.recvBytesInto(view), 16)
      const [buffer, from] = ArrayBuffer.isView(view) ? [view.buffer, view.byteOffset] : [view, 0]
      assert.equal(new Uint8Array(buffer).slice(from, from + 16), bytes)
      new Uint8Array(buffer).fill(0)
    }
  const view = new Uint8Array(4).fill(9)
  const waiting = b.recvBytesInto(view)
  a.sendBytes(bytes, 2, 2)
  assert.is(await waiting, 2)
  assert.equal([...view], [2, 3, 9, 9])
  a.sendBytes(bytes, 16)
  assert.is(b.recvBytesIntoSync(new Uint8Array(0)), 0)
  a.close()
  for (const use of [() => b.recvBytesInto(view), () => b.recvBytesIntoSync(view)])
    assert.is((await thrownBy(use)).code, 'ERR_MANYHANDS_EOF')
})

test('recvBytesInto leaves a message that is too long or no bytes, for the receive that waits next', async () => {
  const [a, b] = Pipe()
  const view = new Uint8Array(8)
  a.sendBytes(new Uint8Array(9).fill(1))
  for (const use of [
    () => b.recvBytesInto(view),
    () => b.recvBytesIntoSync(view),
    () => b.recvBytesIntoSync(view, 0),
  ]) {
    const error = await thrownBy(use)
    assert.instance(error, RangeError)
    assert.match(error.message, /9 bytes.* has 8/)
  }
  assert.equal(view, new Uint8Array(8))
  assert.is(b.recvBytesIntoSync(new Uint8Array(9)), 9)
  a.send('text')
  for (const use of [() => b.recvBytesInto(view), () => b.recvBytesIntoSync(view)])
    assert.match((await thrownBy(use)).message, "not bytes but 'text'")
  assert.is(b.recvSync(), 'text')
  // All three wait: the first two leave the message to the third.
  const refused = [thrownBy(() => b.recvBytesInto(view)), thrownBy(() => b.recvBytes())]
  const rest = [b.recv(), b.recv()]
  a.send('first')
  a.send('second')
  for (const error of await Promise.all(refused)) assert.instance(error, TypeError)
  assert.equal(await Promise.all(rest), ['first', 'second'])
  const lost = new Uint8Array(8)
  const late = thrownBy(() => b.recvBytesInto(lost))
  structuredClone(lost, { transfer: [lost.buffer] })
  a.sendBytes(view)
  assert.match((await late).message, 'transferred')
  for (const wrong of [lost, 'text', null, undefined, [1]])
    for (const use of [() => b.recvBytesInto(wrong as never), () => b.recvBytesIntoSync(wrong as never)])
      assert.instance(await thrownBy(use), TypeError)
  assert.is((await b.recvBytes()).length, 8)
  assert.is((await thrownBy(() => b.recvBytesInto(view, 1))).code, 'ERR_MANYHANDS_TIMEOUT')
  a.close()
})

test('a send refuses what cannot be cloned, names it, and leaves all as it was', async () => {
  const [a, b] = Pipe()
  const [c, d] = Pipe()
  const { path } = await thrownBy(() => a.send({ list: [1, { callback() {} }], c }))
  assert.is(path, 'value.list[1].callback')
  assert.is(await codeOf(() => a.send(() => {})), CLONE)
  assert.is(await codeOf(() => a.send(Symbol('s'))), CLONE)
  for (const end of [a, b]) assert.instance(await thrownBy(() => a.send({ end })), TypeError)
  const buffer = new ArrayBuffer(8)
  assert.is(await codeOf(() => a.send([buffer, () => {}], [buffer])), CLONE)
  assert.is(buffer.byteLength, 8)
  assert.is(b.pollSync(), false)
  c.send('stayed')
  assert.is(d.recvSync(), 'stayed')
  a.send(buffer, [buffer])
  assert.is(buffer.byteLength, 0)
  assert.is((b.recvSync() as ArrayBuffer).byteLength, 8)
  for (const end of [a, c]) end.close()
})

test('a send tells what must be moved from what cannot be sent', async () => {
  const [a, b] = Pipe()
  const { port1, port2 } = new MessageChannel()
  const file = await open('package.json')
  for (const value of [port1, file]) {
    const error = await thrownBy(() => a.send({ list: [value] }))
    assert.equal([error.code, error.path], [CLONE, 'value.list[0]'])
    assert.match(error.message, `a ${value.constructor.name}, which is moved to another thread, never cloned`)
  }
  for (const transfer of [[5], [port1, port1], [{}]]) assert.is(await codeOf(() => a.send(1, transfer as never)), CLONE)
  assert.is(b.pollSync(), false)
  a.send({ list: [file, port1] }, [file as never, port1])
  const [moved, port] = (b.recvSync() as { list: [typeof file, typeof port1] }).list
  assert.ok((await moved.readFile('utf8')).includes('"manyhands"'))
  port.postMessage('by the port')
  assert.equal((await once(port2, 'message'))[0], 'by the port')
  await moved.close()
  for (const end of [port, a]) end.close()
})

// Once, a pending recv waited for ever, the message was lost without an error, and poll stayed true.
test('a receive loses a message that this thread cannot read, with an error that says so, and no other message', async () => {
  const [here, there] = Pipe()
  const process = start(sendDeep, there)
  const first = await thrownBy(() => here.recv())
  assert.equal([first.code, first.path], [CLONE, 'message'])
  assert.match(first.message, 'a message came that cannot be read here, and is lost')
  assert.instance(first.cause, RangeError)
  assert.is(await here.recv(), 1)
  await process.join()
  assert.is(await here.poll(), true)
  const uses = [
    () => here.recvSync(),
    () => here.recv(),
    () => here.tryRecv(),
    () => here.recvBytes(),
    () => here.recvBytesSync(),
  ]
  for (const use of uses) {
    assert.is(await codeOf(use), CLONE)
    assert.is(here.recvSync(), 1)
  }
  for (const use of [() => here.recv(), () => here.recvSync()]) assert.is(await codeOf(use), EOF)
  const [a, b] = Pipe()
  let deep: unknown = 0
  for (let i = 0; i < 100_000; i++) deep = { deep }
  assert.match((await thrownBy(() => a.send(deep))).message, 'value is nested too deeply to be sent')
  assert.is(b.pollSync(), false)
  a.close()
})

test('the error of a message that cannot be read moves on with the end', async () => {
  const [here, there] = Pipe()
  const pending = [codeOf(() => here.recv()), here.recv()]
  await start(sendDeep, there).join()
  assert.equal(await Promise.all(pending), [CLONE, 1])
  await turn() // The next has come ahead of anybody who asks.
  const [report, other] = Pipe()
  start(drainInto, here, other)
  assert.equal(await report.recv(), [[], CLONE])
})

test('a Pipe carries shareables at any depth', async () => {
  const [here, there] = Pipe()
  const value = new Value('i', 1)
  const process = start(addThrough, there)
  here.send({ deep: new Map([['both', [value, new Lock()]]]) })
  assert.is(here.recvSync(), 'added')
  assert.is(value.value, 42)
  await process.join()
})

test('an end moves to a process with the messages that wait there, and the moved end says so', async () => {
  const [here, there] = Pipe()
  const [report, other] = Pipe()
  for (const i of [1, 2, 3]) here.send(i)
  const process = start(drainInto, there, other)
  for (const use of [
    () => there.send(1),
    () => there.recv(),
    () => there.recvSync(),
    () => there.tryRecv(),
    () => there.poll(),
  ])
    assert.match((await thrownBy(use)).message, /moved/)
  assert.is(there.closed, true)
  there.close()
  assert.match((await thrownBy(() => report.send({ there }))).message, /moved/)
  here.send(4)
  here.close()
  assert.equal(await report.recv(), [[1, 2, 3, 4], EOF])
  await process.join()
})

test('an end moves with a message that was looked at but not received', async () => {
  const [here, there] = Pipe()
  const [report, other] = Pipe()
  here.send('text')
  assert.instance(await thrownBy(() => there.recvBytes()), TypeError)
  start(drainInto, there, other)
  here.close()
  assert.equal(await report.recv(), [['text'], EOF])
})

test('moving an end ends its pending receive', async () => {
  const [here, there] = Pipe()
  const pending = thrownBy(() => there.recv())
  const process = start(echoSync, there)
  assert.match((await pending).message, /moved/)
  here.send('still')
  assert.is(await here.recv(), 'still')
  here.close()
  await process.join()
})

test('an end moves to a task of an executor and back', async () => {
  const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  const [here, there] = Pipe()
  here.send('first')
  here.send('second')
  const { connection, first } = await executor.submit(give, there)
  assert.is(first, 'first')
  assert.instance(connection, Connection)
  assert.is(connection.recvSync(), 'second')
  connection.send('back')
  assert.is(here.recvSync(), 'back')
  assert.is(there.closed, true)
  here.close()
  await executor.shutdown()
})

test('an end goes through another Connection', async () => {
  const [here, there] = Pipe()
  const [mine, yours] = Pipe()
  const process = start(answerThrough, there)
  mine.send('early')
  here.send({ end: yours })
  assert.equal(mine.recvSync(), ['got', 'early'])
  await process.join()
})

test('a receiver that dies with a connection unread gives the end of file to the peer of that', async () => {
  const [here, there] = Pipe()
  const [mine, yours] = Pipe()
  const process = start(neverReceives, there)
  assert.is(here.recvSync(), 'here')
  here.send(yours)
  await process.join()
  assert.is(await codeOf(() => mine.recvSync()), EOF)
  const again = Pipe()
  const second = start(waitForEver, again[1])
  await again[0].recv()
  const [kept, lost] = Pipe()
  again[0].send({ lost })
  second.terminate()
  assert.is(await codeOf(() => kept.recv()), EOF)
})

test('a blocked sender is told of an end that was lost in transit, and receives what that had sent', async () => {
  for (const duplex of [false, true]) {
    const [traveller, end] = Pipe({ duplex })
    if (duplex) for (const value of [1, 2, 3]) traveller.send(value)
    const [here, there] = Pipe()
    const process = start(neverReceives, there)
    assert.is(await here.recv(), 'here')
    here.send(traveller)
    end.send('nobody reads it')
    process.terminate()
    process.joinSync()
    const sendOn = () => {
      for (let i = 0; i < 10_000; i++) {
        end.send(i)
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1)
      }
    }
    assert.is(await codeOf(sendOn), BROKEN)
    assert.is(await codeOf(() => end.sendBytes(new Uint8Array(1))), BROKEN)
    if (!duplex) continue
    assert.equal([end.recvSync(), await end.recv(), end.tryRecv()], [1, 2, { value: 3 }])
    assert.is(await codeOf(() => end.recvSync()), EOF)
  }
})

test('an end whose port was gone when it was sent comes back, and meets the end of file', async () => {
  const [a, b] = Pipe()
  const [x, y] = Pipe()
  y.close()
  for (let turns = 0; turns < 100; turns++) await turn() // The port closes.
  a.send({ x })
  const { x: back } = (await b.recv()) as { x: Connection }
  assert.equal([x.closed, back.closed], [true, false])
  assert.is(await codeOf(() => back.recvSync(1000)), EOF)
})

test('closing an end closes the ends in messages that came and were not received', async () => {
  const [a, b] = Pipe()
  const [x, y] = Pipe()
  const [v, w] = Pipe()
  const first = a.recv()
  b.send(1)
  await first // From now on it listens, and hears one message that nobody asks for.
  b.send({ y, deep: [new Map([['w', w]])] })
  while (!a.pollSync(0)) await turn()
  await turn()
  a.close()
  assert.is(await codeOf(() => x.recvSync(5000)), EOF)
  assert.is(await codeOf(() => v.recv(5000)), EOF)
  assert.is(await codeOf(() => x.send(1)), BROKEN)
})

test('a blocked thread is told of an end that went to a process which was ended before it began', async () => {
  for (const pauseMs of [0, 5, 40]) {
    const [here, there] = Pipe()
    const [x, y] = Pipe()
    here.send({ y })
    const process = start(neverReceives, there)
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, pauseMs)
    process.terminate({ grace: 0 })
    process.joinSync()
    const receiveAll = () => {
      for (;;) assert.is(here.recvSync(10_000), 'here') // If it began after all.
    }
    assert.is(await codeOf(receiveAll), EOF)
    assert.is(await codeOf(() => here.send(1)), BROKEN)
    assert.is(await codeOf(() => x.recv(10_000)), EOF)
  }
})

test('an end put into the arguments of a process after its start does not go to that process', async () => {
  const [, sent] = Pipe()
  const [kept, other] = Pipe()
  const args: [Connection] = [sent]
  const process = new Process({ target: neverReceives, args }).start()
  args[0] = kept
  process.terminate({ grace: 0 })
  await process.join()
  other.send(1)
  assert.is(kept.recvSync(1000), 1)
})

test('receiving without waiting tells of a death, too', async () => {
  const [here, there] = Pipe()
  const process = start(neverReceives, there)
  assert.is(await here.recv(), 'here')
  process.terminate()
  process.joinSync()
  const codes = new Set<string>()
  for (const receive of [() => here.recvSync(0), () => here.recv(0), () => here.recv({ timeout: 0 })]) {
    let code = TIMEOUT
    for (let tries = 0; code === TIMEOUT && tries < 1000; tries++) {
      code = await codeOf(receive)
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1)
    }
    codes.add(code)
  }
  assert.equal([...codes], [EOF])
  assert.match((await thrownBy(() => Pipe()[0].recvSync(-5))).message, /no message came within 0 ms/)
})

test('the death of a peer in recvSync is told to those that block, await and send', async () => {
  for (const meet of [
    (end: Connection) => end.recvSync(),
    (end: Connection) => end.recv(),
    (end: Connection) => {
      for (;;) end.tryRecv()
    },
  ]) {
    const [here, there] = Pipe()
    const process = start(waitForEver, there)
    assert.is(await here.recv(), 'waiting')
    process.terminate()
    assert.is(await codeOf(() => meet(here)), EOF)
    assert.is(await codeOf(() => here.send(1)), BROKEN)
    assert.is(await here.poll(), true)
  }
  const [here, there] = Pipe()
  const process = start(waitForEver, there)
  here.recvSync()
  process.kill()
  const code = await codeOf(() => {
    for (;;) here.send(1)
  })
  assert.is(code, BROKEN)
})

test('a peer that returns without closing leaves what it sent, and then the end of file', async () => {
  const [here, there] = Pipe()
  start(sendThenReturn, there, 3)
  assert.equal([here.recvSync(), here.recvSync(), here.recvSync()], [0, 1, 2])
  assert.is(await codeOf(() => here.recvSync()), EOF)
})

test('a storm of kills loses nothing that was sent, and nobody hangs', async () => {
  let received = 0
  for (let round = 0; round < 25; round++) {
    const [here, there] = Pipe()
    const process = start(flood, there)
    const blocks = round % 2 === 0
    let next = 0
    try {
      for (;;) {
        const { i, check } = blocks ? here.recvSync() : await here.recv()
        assert.is(i, next++)
        assert.is(check, i * 7)
        if (next === 5 + round * 3) process.terminate()
        here.send('go on')
      }
    } catch (reason) {
      const { code } = reason as { code?: string }
      if (code !== EOF && code !== BROKEN) throw reason
    }
    assert.ok(next >= 5 + round * 3)
    received += next
  }
  console.log(`\n# 25 kills, ${received} messages`)
})

test('wait takes several connections at a time, and sentinels among them', async () => {
  const [a, b] = Pipe()
  const [c, d] = Pipe()
  const [e, f] = Pipe()
  const process = start(waitForEver, f)
  assert.equal(await Connection.wait([e]), [e])
  e.recvSync()
  const list = [b, d, process.sentinel]
  assert.equal(Connection.waitSync(list, 0), [])
  assert.equal(await Connection.wait(list, { timeout: 5 }), [])
  const later = Connection.wait(list)
  a.send(1)
  const ready = await later
  assert.is(ready.length, 1)
  assert.is(ready[0], b)
  c.close()
  const both = Connection.waitSync(list)
  assert.ok(both[0] === b && both[1] === d && both.length === 2)
  b.recvSync()
  d.close()
  process.terminate()
  const [only] = await Connection.wait([b, process.sentinel])
  assert.is(only, process.sentinel)
  assert.is(Connection.waitSync([e])[0], e)
  const stopped = await thrownBy(() => Connection.wait([b], { signal: AbortSignal.abort('why') }))
  assert.is(stopped, 'why')
  for (const wrong of [[1], [{}], [null], 5, null])
    assert.instance(await thrownBy(() => Connection.wait(wrong as never)), TypeError)
  a.close()
})

/** Talk with a process that a process has started, to which that has passed the connection on. */
async function talkWithGrandchild(how: HandDown) {
  const [here, there] = Pipe()
  const [control, controlled] = Pipe()
  for (const word of ['first', 'second', 'third']) here.send(word)
  const middle = start(handDown, there, controlled, how)
  assert.equal(await control.recv(), { first: 'first', closed: true })
  assert.equal([here.recvSync(), await here.recv()], ['second', 'third'])
  for (let i = 0; i < 50; i++) {
    here.send({ i })
    assert.equal(here.recvSync(), { i })
    here.sendBytes(new Uint8Array(i).fill(i))
    here.send(i)
    assert.equal(await here.recvBytes(), new Uint8Array(i).fill(i))
    assert.is(await here.recv(), i)
  }
  return { here, control, middle }
}

for (const target of ['echoSync', 'echo'] as const)
  for (const meanwhile of ['is blocked', 'awaits', 'has returned'] as const)
    test(`a Pipe talks with a grandchild, which ${target === 'echo' ? 'awaits' : 'blocks'}, while its parent ${meanwhile}`, async () => {
      const { here, control, middle } = await talkWithGrandchild({ target, meanwhile })
      assert.ok(middle.isAlive())
      here.close()
      control.close()
      await middle.join()
      assert.is(middle.exitcode, 0)
    })

const grandchildEnds: [how: string, HandDown, (ends: Awaited<ReturnType<typeof talkWithGrandchild>>) => void][] = [
  ['is terminated by its parent', { target: 'echoSync', meanwhile: 'awaits' }, ({ control }) => control.send('end')],
  ['exits, with a parent that is blocked', { target: 'echoUntilExit', meanwhile: 'is blocked' }, ({ here }) => here.send('exit')], // prettier-ignore
  ['exits, with a parent that has returned', { target: 'echoUntilExit', meanwhile: 'has returned' }, ({ here }) => here.send('exit')], // prettier-ignore
  ['ends with its parent, as a daemon', { target: 'echo', daemon: true, meanwhile: 'awaits' }, ({ control }) => control.close()], // prettier-ignore
  ['ends with its parent, which is terminated', { target: 'echo', meanwhile: 'awaits' }, ({ middle }) => middle.terminate()], // prettier-ignore
  ['ends with its parent, which is killed while it is blocked', { target: 'echoSync', meanwhile: 'is blocked' }, ({ middle }) => middle.kill()], // prettier-ignore
]

for (const [what, how, end] of grandchildEnds)
  test(`a Pipe tells of the end of a grandchild that ${what}`, async () => {
    for (const blocks of [true, false]) {
      const ends = await talkWithGrandchild(how)
      const { here, control, middle } = ends
      for (let i = 0; i < 5; i++) here.send(i)
      assert.is(await here.poll(Infinity), true)
      for (let i = 0; i < 4; i++) assert.is(here.recvSync(), i)
      assert.is(here.pollSync(Infinity), true)
      end(ends)
      assert.is(await here.recv(), 4) // It was sent before.
      assert.is(await codeOf(() => (blocks ? here.recvSync() : here.recv())), EOF)
      assert.is(await codeOf(() => here.tryRecv()), EOF)
      assert.is(await codeOf(() => here.send(1)), BROKEN)
      control.close()
      await middle.join()
    }
  })

test('a pending receive keeps the program alive, and a Pipe by itself does not', async () => {
  const idle = await runProgram(`import { Pipe } from 'manyhands'; globalThis.kept = Pipe(); console.log('idle')`)
  assert.equal([idle.code, idle.stdout], [0, 'idle\n'])
  const pending = await runProgram(`
    import { Pipe } from 'manyhands'
    const [a, b] = Pipe()
    b.recv().then((value) => console.log(value))
    setTimeout(() => a.send('came'), 100).unref()`)
  assert.equal([pending.code, pending.stdout], [0, 'came\n'])
})

test('thousands of Pipes, made and closed, leave nothing behind', async () => {
  const { code, stdout, stderr } = await runProgram(
    `
    import { Pipe } from 'manyhands'
    const round = async (count) => {
      for (let i = 0; i < count; i++) {
        const [a, b] = Pipe()
        a.send({ i })
        await b.recv()
        a.close()
        if (i % 2) b.close()
        if (i % 100 === 0) await new Promise(setImmediate)
      }
      for (let i = 0; i < 5; i++) { gc(); await new Promise((resolve) => setTimeout(resolve, 20)) }
      return process.memoryUsage()
    }
    await round(2000)
    const before = await round(2000)
    const after = await round(4000)
    console.log(after.heapUsed - before.heapUsed, after.external - before.external)`,
    ['--expose-gc'],
  )
  assert.is(code, 0, stderr)
  const [heap, external] = stdout.split(' ').map(Number)
  assert.ok(heap! < 1e6 && external! < 1e6, stdout)
})

test('waitSync sees the end of a process that this blocked thread has started', async () => {
  const [a] = Pipe()
  const ends: [string, (process: Process) => void, () => void][] = [
    ['by itself', () => {}, () => {}],
    ['terminated', (process) => process.terminate(), () => void setInterval(() => {}, 1000)],
  ]
  for (const [, end, target] of ends) {
    const process = new Process({ target }).start()
    end(process)
    assert.equal(Connection.waitSync([a, process.sentinel], 30_000), [process.sentinel])
    await process.join()
  }
  a.close()
})

test('an end moves with a message that came before anybody asked, and the port in it', async () => {
  await using executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  const [here, there] = Pipe()
  const first = there.recv()
  here.send(0)
  assert.is(await first, 0)
  const { port1, port2 } = new MessageChannel()
  here.send(port2, [port2])
  here.send(1)
  await new Promise((resolve) => setTimeout(resolve, 20))
  const answer = once(port1, 'message')
  const useBoth = async (end: Connection) => {
    const port = await end.recv()
    port.postMessage(await end.recv())
    port.close()
  }
  await executor.submit(useBoth, there)
  assert.equal(await answer, [1])
  here.close()
})

test('a Connection refuses every bad argument, names it, and stays as it was', async () => {
  const [a, b] = Pipe()
  const bytes = new Uint8Array(10)
  const nan = 'must be a number of milliseconds or Infinity, not NaN'
  const cases: [use: () => unknown, kind: Function, message: string][] = [
    [() => b.recvSync('1' as never), TypeError, "timeoutMs must be a number of milliseconds, not '1'"],
    [() => b.recvBytesSync(NaN), RangeError, `timeoutMs ${nan}`],
    [() => b.pollSync(NaN), RangeError, `timeoutMs ${nan}`],
    [() => b.recvBytes({ timeout: NaN }), RangeError, `timeout ${nan}`],
    [() => b.poll(null as never), TypeError, 'wait options must be a number or { timeout, signal }, not null'],
    [() => Connection.wait([b], NaN), RangeError, `timeout ${nan}`],
    [() => Connection.waitSync([b], NaN), RangeError, `timeoutMs ${nan}`],
    [() => Connection.wait([b, 1 as never]), TypeError, 'wait takes connections and sentinels, not 1'],
    [() => Connection.waitSync(5 as never), TypeError, 'wait takes a list of connections and sentinels, not 5'],
    [() => Pipe(5 as never), TypeError, 'the options of Pipe must be an object, { duplex }, not 5'],
    [
      () => Pipe({ duplexx: true } as never),
      TypeError,
      "the options of Pipe do not include 'duplexx'; they are { duplex }",
    ],
    [() => Pipe({ duplex: null as never }), TypeError, 'duplex must be true or false, not null'],
    [() => a.send(1, 'x' as never), TypeError, "transfer must be an array, not 'x'"],
    [
      () => a.sendBytes('x' as never),
      TypeError,
      "sendBytes takes a typed array, a Buffer, a DataView or an ArrayBuffer, not 'x'",
    ],
    [() => a.sendBytes(bytes, '1' as never), TypeError, "offset must be a number, not '1'"],
    [() => a.sendBytes(bytes, 11), RangeError, 'offset must be an integer from 0 to 10, not 11'],
    [() => a.sendBytes(bytes, 4, 7), RangeError, 'size must be an integer from 0 to 6, not 7'],
  ]
  for (const [use, kind, message] of cases) {
    const error = await thrownBy(use)
    assert.instance(error, kind)
    assert.is(error.message, message)
  }
  assert.is(b.pollSync(), false)
  a.sendBytes(bytes, 9)
  assert.equal(b.recvBytesSync(), new Uint8Array(1))
  a.close()
})

test('a Connection refuses the wrong direction, and a closed end, for bytes and in a wait, too', async () => {
  const [reader, writer] = Pipe({ duplex: false })
  for (const use of [
    () => writer.recvBytesSync(),
    () => Connection.wait([writer], 0),
    () => Connection.waitSync([reader, writer], 0),
  ])
    assert.match((await thrownBy(use)).message, 'this end of the Pipe only sends')
  writer.send('still')
  assert.is(reader.recvSync(), 'still')
  reader.close()
  for (const use of [() => reader.recvBytes(), () => reader.recvBytesSync(), () => Connection.waitSync([reader], 0)])
    assert.is(await codeOf(use), CLOSED)
  for (const use of [() => writer.send(1), () => writer.sendBytes(new Uint8Array(1))])
    assert.is(await codeOf(use), BROKEN)
  writer.close()
})

test('a moved end refuses every use, bytes and waits included', async () => {
  const [here, there] = Pipe()
  const process = start(echoSync, there)
  const uses = [
    () => there.sendBytes(new Uint8Array(1)),
    () => there.recvBytes(),
    () => there.recvBytesSync(),
    () => there.pollSync(),
    () => Connection.wait([there], 0),
    () => Connection.waitSync([there], 0),
    () => there.send(1, []),
    () => new Process({ target: echoSync, args: [there] }).start(),
  ]
  for (const use of uses) {
    const error = await thrownBy(use)
    assert.is(error.code, CLOSED)
    assert.match(error.message, 'was moved to another thread')
  }
  here.close()
  await process.join()
})

test('polls and waits end with a signal, before and while they wait', async () => {
  const [a, b] = Pipe()
  const waits = [
    (signal: AbortSignal) => b.poll({ timeout: Infinity, signal }),
    (signal: AbortSignal) => b.recvBytes({ signal }),
    (signal: AbortSignal) => Connection.wait([b], { signal }),
  ]
  for (const wait of waits) {
    assert.is(await thrownBy(() => wait(AbortSignal.abort('before'))), 'before')
    const aborter = new AbortController()
    const waiting = thrownBy(() => wait(aborter.signal))
    await turn()
    aborter.abort('meanwhile')
    assert.is(await waiting, 'meanwhile')
  }
  a.send('later')
  assert.is(await b.recv(), 'later')
  a.close()
})

test('leaving a loop leaves the other messages; a loop over an end that is closed here throws', async () => {
  const [a, b] = Pipe()
  for (const i of [1, 2, 3]) a.send(i)
  for await (const i of b) if (i === 2) break
  assert.is(b.recvSync(), 3)
  const loop = codeOf(async () => {
    for await (const _ of b) assert.unreachable()
  })
  b.close()
  assert.is(await loop, CLOSED)
  a.close()
})

test('wait takes any iterable, and gives what is ready in its order', async () => {
  const [a, b] = Pipe()
  const [c, d] = Pipe()
  a.send(1)
  c.send(2)
  const both = await Connection.wait(new Set([d, b]), 0)
  assert.ok(both.length === 2 && both[0] === d && both[1] === b)
  assert.equal([b.recvSync(), d.recvSync()], [1, 2])
  assert.equal(await Connection.wait([b, d], 0), [])
  assert.equal(Connection.waitSync([b, d], 5), [])
  a.close()
  assert.ok((await Connection.wait([b, d]))[0] === b, 'the end of file is there to be met')
  c.close()
})

test('a Pipe carries messages of any size, from none to megabytes', async () => {
  const [here, there] = Pipe()
  const process = start(echoSync, there)
  for (const size of [0, 1, 1000, 100_000, 5_000_000]) {
    const bytes = new Uint8Array(size).fill(size % 251)
    here.send({ bytes, text: 'é'.repeat(size >> 2) })
    const back = here.recvSync() as { bytes: Uint8Array; text: string }
    assert.ok(Buffer.from(bytes).equals(back.bytes))
    assert.ok(back.text === 'é'.repeat(size >> 2))
    here.sendBytes(bytes)
    assert.ok(Buffer.from(bytes).equals(await here.recvBytes()))
  }
  here.close()
  await process.join()
})

test.run()
