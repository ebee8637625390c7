import { attach, EOFError, Manager, Pipe, Process, type Connection, type Target } from 'manyhands'
import { decodeFailure, encodeFailure, makeShareable, pack, unpack } from '#internals'
import { once } from 'node:events'
import { MessageChannel, receiveMessageOnPort, Worker, type MessagePort } from 'node:worker_threads'
import { assert, suite, thrownBy } from '../harness.js'
import { ended, replyOf } from '../process/replies.js'
import { addToAll, Cell, compare, Counted, giveBack, release, throwCell, useWire, Wire } from './shareable.tasks.js'

const test = suite('shareable objects by their handles')

// What of WebAssembly's types comes with browsers alone.
const { Memory } = (globalThis as any).WebAssembly as { Memory: new (options: object) => { buffer: SharedArrayBuffer } }
const takesAny: Target = () => {}

/** Something through structured clone, as a message of the caller's own. */
const copy = <T>(value: T): T => structuredClone(value)

test('arrive on the same memory, at any depth of objects, arrays, Maps and Sets', async () => {
  const cells = Array.from({ length: 9 }, () => new Cell())
  const [a, b, c, d, e, f, g, h, i] = cells
  const value = {
    a,
    list: [1, [b, { c }]],
    map: new Map<unknown, unknown>([['d', d], [e, new Map([['f', [f]]])]]), // prettier-ignore
    set: new Set<unknown>([g, new Set([h])]),
    bare: Object.assign(Object.create(null), { i }),
    nothing: null,
  }
  assert.is(await replyOf(addToAll, [value]), 9)
  assert.equal(cells.map((cell) => cell.value), Array(9).fill(1)) // prettier-ignore
})

test('arrive in cyclic values', async () => {
  const cell = new Cell()
  const value: Record<string, unknown> = { list: [], map: new Map() }
  value.self = value
  ;(value.list as unknown[]).push(value, { deep: { cell } })
  ;(value.map as Map<unknown, unknown>).set(value.map, value)
  assert.is(await replyOf(addToAll, [value]), 1)
  assert.is(cell.value, 1)
})

test('leave what is sent as it was', async () => {
  const cell = new Cell()
  const value = Object.freeze({ list: Object.freeze([cell]), map: new Map([[cell, cell]]) })
  await replyOf(addToAll, [value])
  assert.is(value.list[0], cell)
  assert.is(value.map.get(cell), cell)
})

test('received twice in one thread, are the same object', async () => {
  const cell = new Cell()
  const { port1, port2 } = new MessageChannel()
  port1.postMessage({ again: cell })
  port1.postMessage(cell)
  receiveMessageOnPort(port2)
  assert.equal(await replyOf(compare, [cell, { again: cell }, port2], { transfer: [port2] }), [true, true])
  port1.close()
})

test('back in the thread that made them, are the object itself', async () => {
  const cell = new Cell()
  const { given, made } = attach(await replyOf(release, [cell])) as { given: Cell[]; made: Cell }
  assert.is(given[0], cell)
  assert.is(cell.value, 5)
  assert.instance(made, Cell)
  assert.is.not(made, cell)
  made.add(3)
  assert.is(made.value, 3)
  assert.is(attach(copy(made)), made)
})

test('take the ports that they are made of along, there and back', async () => {
  const { port1, port2 } = new MessageChannel()
  const wire = new Wire(port2)
  const back = attach((await replyOf(useWire, [{ wire, same: wire }])) as Wire)
  assert.equal(receiveMessageOnPort(port1), { message: ['through the wire', true, true] })
  assert.instance(back, Wire)
  back.port.postMessage('still working')
  assert.equal(receiveMessageOnPort(port1), { message: 'still working' })
  port1.close()
})

test('one that holds a port may be listed for transfer as well, and stand in a message twice', async () => {
  const { port1, port2 } = new MessageChannel()
  const wire = new Wire(port2)
  await replyOf(useWire, [{ wire, same: wire }], { transfer: [port2] })
  assert.equal(receiveMessageOnPort(port1), { message: ['through the wire', true, true] })
  port1.close()
})

test('pass through a raw Worker, its workerData and messages, by attach', async () => {
  const cell = new Cell()
  const worker = new Worker(new URL('./shareable.tasks.js', import.meta.url), {
    workerData: { raw: true, cell, deep: new Map([['k', [cell]]]) },
  })
  const exited = once(worker, 'exit') // The last message and the exit may come in one turn.
  worker.postMessage(new Set([cell]))
  const [answer] = (await once(worker, 'message')) as [unknown[]]
  assert.is(attach(answer), answer)
  assert.equal(answer.slice(0, 2), [true, true])
  assert.is(answer[2], cell)
  assert.is(cell.value, 11)
  await exited
})

test('attach gives what is no shareable back as it is', () => {
  const values = [undefined, null, 5, 'text', 5n, new Date(), /x/, new Uint8Array(4), new Error('m'), () => 1]
  for (const value of values) assert.is(attach(value), value)
  const lookAlikes = { a: { $manyhands: 5 }, b: { $manyhands: ['kind'] }, c: [] as unknown[] }
  lookAlikes.c.push(lookAlikes)
  const { a } = lookAlikes
  assert.is(attach(lookAlikes), lookAlikes)
  assert.is(lookAlikes.a, a)
})

test('are shown to structured clone as their handle alone', () => {
  assert.equal(Object.keys(new Cell()), ['$manyhands'])
  assert.equal(Object.keys(copy(new Cell())), ['$manyhands'])
})

test('keep identities and cycles, and leave the value as it was, where a copy of it is sent', () => {
  const { port1, port2 } = new MessageChannel()
  const wire = new Wire(port2)
  const list: unknown[] = [wire]
  list[9] = 'after a hole'
  const value: Record<string, unknown> = { wire, list, again: list, date: new Date(0) }
  value.self = value
  value.map = new Map<unknown, unknown>([[wire, list], [list, value]]) // prettier-ignore
  value.set = new Set<unknown>([list, wire, value])
  Object.defineProperty(value, '__proto__', { value: [wire], enumerable: true })
  const transfer: MessagePort[] = []
  const packed = pack(value, transfer)
  assert.is.not(packed.value, value)
  assert.is(value.wire, wire)
  assert.is(list[0], wire)
  assert.equal(transfer, [port2])
  const received = unpack(structuredClone(packed, { transfer: transfer as never })) as any
  assert.instance(received.wire, Wire)
  assert.is(received.self, received)
  assert.is(received.again, received.list)
  assert.is(received.list[0], received.wire)
  assert.equal(Object.keys(received.list), ['0', '9'])
  assert.is(received.map.get(received.wire), received.list)
  assert.is(received.map.get(received.list), received)
  assert.equal([...received.set], [received.list, received.wire, received])
  assert.is(Object.getOwnPropertyDescriptor(received, '__proto__')!.value[0], received.wire)
  assert.equal(received.date, new Date(0))
  received.wire.port.close()
  port1.close()
})

test('in an array of 2^31 holes pass at once, through a process and back', async () => {
  const cell = new Cell()
  const { port1, port2 } = new MessageChannel()
  const sparse: unknown[] = []
  sparse[3] = cell
  sparse[2 ** 31] = new Wire(port2)
  const started = performance.now()
  const back = attach(await replyOf(giveBack, [sparse])) as unknown[]
  assert.is(back.length, 2 ** 31 + 1)
  assert.equal(Object.keys(back), ['3', String(2 ** 31)])
  assert.is(back[3], cell)
  assert.instance(back[2 ** 31], Wire)
  assert.ok(performance.now() - started < 5000)
  port1.close()
})

test('in an array of 2^31 holes are given up at once', async () => {
  const [a, b] = Pipe()
  const [inside, outside] = Pipe()
  const sparse: Connection[] = []
  sparse[2 ** 31] = inside
  const started = performance.now()
  a.send(sparse)
  assert.is(await b.poll(), true)
  b.close()
  assert.instance(await thrownBy(() => outside.recv()), EOFError)
  assert.ok(performance.now() - started < 5000)
})

// A proxy that stood twice in a message used the port that it brought along twice, which closed it.
test('one that stands in a message twice is sent once and rebuilt once', async () => {
  const counted = new Counted()
  const packed = pack({ a: counted, b: [counted] }, [])
  assert.is(counted.sent, 1)
  const { a, b } = unpack(copy(packed)) as { a: Counted; b: Counted[] }
  assert.is(a, counted)
  assert.is(b[0], counted)
  assert.is(counted.received, 1)
  await using manager = await Manager.start()
  const list = manager.list([1, 2])
  const target: Target = async (port: MessagePort, lists: (typeof list)[]) => {
    port.postMessage(await Promise.all(lists.map(async (one) => await one.length)))
  }
  assert.equal(await replyOf(target, [[list, list]]), [2, 2])
})

test('of a kind that the thread has no class for, say so', async () => {
  const stranger = {}
  makeShareable(stranger, 'spec.stranger')
  const error = await thrownBy(() => unpack(copy(pack({ stranger: { $manyhands: ['spec.stranger', -1] } }, []))))
  assert.instance(error, TypeError)
  assert.match(error.message, "no class for the shareable kind 'spec.stranger'")
  const process = await ended(takesAny, { args: [new Cell()] })
  assert.match((process.error as Error).message, "no class for the shareable kind 'spec.cell'")
})

test('are what an error’s properties may hold', async () => {
  const cell = new Cell()
  const { error } = await ended(throwCell, { args: [cell] })
  assert.is((error as { cell: Cell }).cell, cell)
  assert.is(decodeFailure(copy(encodeFailure(cell))), cell)
  assert.is((decodeFailure(copy(encodeFailure({ deep: [cell] }))) as { deep: Cell[] }).deep[0], cell)
})

test('shared memory passes as it is', async () => {
  const memory = new SharedArrayBuffer(8)
  const wasm = new Memory({ initial: 1, maximum: 1, shared: true })
  const target = (
    port: MessagePort,
    shared: SharedArrayBuffer,
    view: Uint8Array,
    deep: { memory: { buffer: SharedArrayBuffer } },
  ) => {
    new Uint8Array(shared)[0] = 5
    view[1] = 6
    new Uint8Array(deep.memory.buffer)[9] = 7
    port.postMessage('written')
  }
  await replyOf(target, [memory, new Uint8Array(memory), { memory: wasm }])
  assert.equal([...new Uint8Array(memory, 0, 2)], [5, 6])
  assert.is(new Uint8Array(wasm.buffer)[9], 7)
})

test('a value deep enough to exhaust the stack is an error of the caller', async () => {
  let deep: unknown = new Cell()
  for (let i = 0; i < 200_000; i++) deep = [deep]
  const process = new Process({ target: addToAll, args: [deep] as never })
  const error = await thrownBy(() => process.start())
  assert.instance(error, Error)
  assert.is(process.pid, undefined)
})

test('are found in Maps and Sets of derived classes, and not looked for in what only inherits from Map', () => {
  class Named extends Map<unknown, unknown> {}
  class Renamed extends Named {}
  class Group extends Set<unknown> {}
  const cell = new Cell()
  for (const value of [
    new Map([[1, cell]]),
    new Named([[cell, 1]]),
    new Renamed([[1, [cell]]]),
    new Set([cell]),
    new Group([cell]),
  ])
    // prettier-ignore
    assert.is(pack([value], []).handles, true)
  class Holder {
    cell = cell
  }
  class Keeper extends Holder {}
  const others = [new Holder(), new Keeper(), Object.create(Map.prototype), Object.create(Renamed.prototype)] as unknown[] // prettier-ignore
  for (const value of others) assert.is(pack([value], []).handles, false)
})

test.run()
