// Values of other realms: those of a program whose tests run in a node:vm context, with the package loaded into it, and those that a
// program gets from a context of its own.
import vm from 'node:vm'
import { Array as SharedArray, Event, InlineExecutor, Lock, Manager, Pipe, ProcessPoolExecutor, Queue, Value, task, type DataCloneError } from 'manyhands' // prettier-ignore
import { decodeFailure, encodeFailure, pack, unpack } from '#internals'
import { assert, runNode, suite, thrownBy } from '../harness.js'

const test = suite('values of other realms')

/** Run a body in a context into which the package was loaded. Each line that it prints is JSON. */
async function printedInContext(body: string): Promise<unknown[]> {
  const flags = ['--experimental-vm-modules', '--no-warnings']
  const { code, stdout, stderr } = await runNode([...flags, 'spec/fixtures/in-vm-context.mjs', body])
  assert.is(code, 0, stderr)
  return stdout.trim().split('\n').map((line) => JSON.parse(line) as unknown) // prettier-ignore
}

test('in a context, map gives the results that the tasks return', async () => {
  const body = `
    await using executor = new lib.ProcessPoolExecutor({ maxWorkers: 1 })
    print(await executor.map((x) => ({ x }), [1, 2]))
    print(await executor.map((x) => x + 1, Array.from({ length: 20 }, (_, x) => x)))
    print((await executor.map((x) => [x], Array.from({ length: 100 }, (_, x) => ({ x })))).length)
    print(await executor.map((x) => x * 2, new Float64Array([1, 2])))
    print(await executor.map(({ x }) => x, [{ x: 1 }, { x: 2 }], { settled: true }))
    print(await executor.map((x, y) => x + y, [1, 2], (async function* () { yield 3; yield 4 })()))
  `.replaceAll('await using', 'const')
  const printed = await printedInContext(`${body}; await executor.shutdown()`)
  assert.equal(printed, [
    [{ x: 1 }, { x: 2 }],
    Array.from({ length: 20 }, (_, x) => x + 1),
    100,
    [2, 4],
    [{ status: 'fulfilled', value: 1 }, { status: 'fulfilled', value: 2 }],
    [4, 6],
  ]) // prettier-ignore
})

test('in a context, what is loaded at its first use is loaded there, too', async () => {
  const body = `
    const empty = await thrown(() => new lib.Queue().getNowait())
    print([empty.constructor === lib.QueueEmpty, Object.getPrototypeOf(lib.QueueEmpty.prototype) instanceof Error])
    const executor = new lib.ProcessPoolExecutor({ maxWorkers: 1 })
    const failed = await thrown(() => executor.submit(() => { throw new RangeError('mine') }))
    print([failed.constructor === RangeError, failed.message])
    print((await executor.map((x) => ({ x }), [1])).constructor === Array)
    await executor.shutdown()`
  assert.equal(await printedInContext(body), [[true, true], [true, 'mine'], true])
})

test('in a context, shareables come back as themselves from any container', async () => {
  const body = `
    const executor = new lib.ProcessPoolExecutor({ maxWorkers: 1 })
    const value = new lib.Value('i', 5)
    const back = await executor.submit((value) => ({ value, map: new Map([['k', { value }]]), set: new Set([value]), list: [[value]] }), value)
    print([back.value, back.map.get('k').value, [...back.set][0], back.list[0][0]].map((one) => one === value))
    const [here, there] = lib.Pipe()
    void executor.submit((there, value) => there.send({ value }), there, value)
    print((await here.recv()).value === value)
    print((await executor.submit(({ value, map }) => value.add(1) + map.get(1).add(1), { value, map: new Map([[1, value]]) })))
    await executor.shutdown()
  `
  assert.equal(await printedInContext(body), [[true, true, true, true], true, 11])
})

test('in a context, errors keep their classes, and name what cannot be sent', async () => {
  const body = `
    const executor = new lib.ProcessPoolExecutor({ maxWorkers: 1 })
    const error = await executor.submit(() => { throw Object.assign(new RangeError('far'), { code: 'E', cause: new TypeError('why') }) }).exception()
    print([error instanceof RangeError, error.code, error.cause instanceof TypeError])
    const cloned = await executor.submit((x) => x, { a: [() => 1] }).exception()
    print([cloned instanceof lib.DataCloneError, cloned.path])
    let deep = []
    for (let i = 0; i < 1e5; i++) deep = [deep]
    print(/nested too deeply/.test((await executor.submit((x) => x, deep).exception()).message))
    const aborted = await executor.submit(() => { throw new DOMException('no', 'AbortError') }).exception()
    print([aborted.name, aborted instanceof DOMException])
    print((await executor.submit(() => missing).exception()).message.includes('without the variables around it'))
    print((await thrown(() => new lib.Lock().acquire({ signal: AbortSignal.abort(new TypeError('stop')) }))).message)
    await executor.shutdown()
  `
  assert.equal(await printedInContext(body), [
    [true, 'E', true],
    [true, 'args[0].a[0]'],
    true,
    ['AbortError', true],
    true,
    'stop',
  ])
})

test('in a context, queues, pipes, shared arrays, managers and processes take its values', async () => {
  const body = `
    const queue = new lib.Queue()
    const values = [{ a: [1, 'b'] }, new Map([[1, 2]]), new Date(5), new Uint8Array([1, 2]), new Set([3]), 5n ** 30n]
    for (const value of values) queue.putSync(value)
    const got = values.map(() => queue.getSync())
    print([got[0], [...got[1]], got[2].getTime(), [...got[3]], [...got[4]], String(got[5])])
    print((await thrown(() => queue.put(new Uint8Array(new SharedArrayBuffer(8))))).message.includes('shared memory'))
    const [here, there] = lib.Pipe()
    there.sendBytes(new Uint8Array([1, 2, 3]).buffer)
    print([...(await here.recvBytes())])
    print((await thrown(async () => { there.send('text'); await here.recvBytes() })).name)
    const memory = new SharedArrayBuffer(8)
    const shared = new lib.Array('i', 2, { buffer: memory })
    const process = new lib.Process({ target: (shared, bytes) => { shared.set(0, bytes.byteLength) }, args: [shared, new ArrayBuffer(3)] }).start()
    await process.join()
    print(new Int32Array(memory)[0])
    const manager = await lib.Manager.start()
    const dict = manager.dict(new Map([['a', { x: 1 }]]))
    print([await dict.get('a'), [...await dict.keys()]])
    const kept = []
    for await (const one of manager.list([1, 2])) kept.push(one)
    print(kept)
    await manager.shutdown()
    const buffer = new ArrayBuffer(8)
    const executor = new lib.ProcessPoolExecutor({ maxWorkers: 1 })
    print([await executor.with({ transfer: [buffer] }).submit((b) => b.byteLength, buffer), buffer.byteLength])
    print(await executor.submit((module) => module, lib.tasksFrom ? 'ok' : ''))
    await executor.shutdown()
    print(await new lib.InlineExecutor().submit(async (x) => x + 1, 1))
  `
  assert.equal(await printedInContext(body), [
    [{ a: [1, 'b'] }, [[1, 2]], 5, [1, 2], [3], String(5n ** 30n)],
    true,
    [1, 2, 3],
    'TypeError',
    3,
    [{ x: 1 }, ['a']],
    [1, 2],
    [8, 0],
    'ok',
    2,
  ])
})

const inContext = (code: string, sandbox: object = {}): unknown => vm.runInNewContext(code, sandbox) as unknown

const addOne = (held: any): number[] => {
  const all = [held.plain.value, held.map.get('value'), [...held.set][0], held.bare.value, held.list[0]] as Value<'i'>[]
  return all.map((value) => value.add(1))
}

test('shareables are found in the containers of another realm, and replaced there', async () => {
  const value = new Value('i', 7)
  const code = `({ plain: { value }, map: new Map([['value', value]]), set: new Set([value]), list: [value],
      bare: Object.assign(Object.create(null), { value }) })`
  const held = inContext(code, { value })
  const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  assert.equal(await executor.submit(addOne, held), [7, 8, 9, 10, 11])
  await executor.shutdown()
  const [lock, manager] = [new Lock(), await Manager.start()]
  const dict = manager.dict()
  const sent: any = inContext('({ lock, deep: new Map([[{ lock }, [dict]]]) })', { lock, dict })
  const transfer: any[] = []
  const packed = pack(sent, transfer)
  const received: any = unpack(structuredClone(packed, { transfer }))
  assert.is(received.lock, lock)
  assert.is([...received.deep.keys()][0].lock, lock)
  assert.is([...received.deep.values()][0][0], dict)
  assert.is(sent.deep.size, 1)
  await manager.shutdown()
})

test('instances of classes of another realm are not taken for plain objects', () => {
  const lock = new Lock()
  const made = inContext('class Held { constructor() { this.lock = lock } }; new Held()', { lock })
  assert.not(pack([made], []).handles)
  const derived = inContext('class A { }; class B extends A { constructor() { super(); this.lock = lock } }; new B()', {
    lock,
  })
  assert.not(pack([derived], []).handles)
})

test('errors of another realm keep class, code, cause and properties', () => {
  const error = decodeFailure(
    encodeFailure(inContext('Object.assign(new RangeError("far", { cause: new TypeError("why") }), { code: "E" })')),
  ) as RangeError & { code: string }
  assert.instance(error, RangeError)
  assert.is(error.code, 'E')
  assert.instance(error.cause, TypeError)
  const old = decodeFailure(
    encodeFailure(
      inContext('function Old() { this.message = "old" }; Old.prototype = Object.create(Error.prototype); new Old()'),
    ),
  ) as Error
  assert.instance(old, Error)
  assert.is(old.message, 'old')
})

test('options, modules, buffers and promises of another realm are taken', async () => {
  const memory = inContext('new SharedArrayBuffer(8)') as SharedArrayBuffer
  assert.is(new SharedArray('i', 2, { buffer: memory }).length, 2)
  const [here, there] = Pipe()
  there.sendBytes(inContext('new Uint8Array([1, 2]).buffer') as ArrayBuffer)
  assert.equal([...(await here.recvBytes())], [1, 2])
  assert.match((await thrownBy(() => new Event().wait(inContext('new Map()') as never))).message, 'wait options')
  const buffer = inContext('new ArrayBuffer(8)') as ArrayBuffer
  const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  const lengthOf = (sent: ArrayBuffer) => sent.byteLength
  assert.is(await executor.with({ transfer: [buffer] }).submit(lengthOf, buffer), 8)
  assert.is(buffer.byteLength, 0)
  assert.match((await thrownBy(() => executor.with({ transfer: [buffer] }))).message, 'not detached')
  const shared = inContext('new Int32Array(new SharedArrayBuffer(4))') as Int32Array
  const set = (view: Int32Array) => void Atomics.store(view, 0, 9)
  await Promise.all([executor.submit(set, shared), executor.submit(set, shared)])
  assert.is(shared[0], 9)
  await executor.shutdown()
  const later = inContext('async (x) => x + 1') as (x: number) => Promise<number>
  assert.is(await new InlineExecutor().submit(later, 1), 2)
  assert.is(
    await thrownBy(() => new Queue().put(inContext('new SharedArrayBuffer(8)'))).then(
      ({ code }: DataCloneError) => code,
    ),
    'ERR_MANYHANDS_DATA_CLONE',
  )
})

test('an AbortSignal and a URL of another implementation are taken for what they are', async () => {
  class Signal extends EventTarget {
    aborted = false
    reason: unknown = undefined
    throwIfAborted(): void {}
  }
  const signal = new Signal()
  const waiting = new Event().wait({ signal: signal as never })
  signal.reason = new Error('stopped')
  signal.aborted = true
  signal.dispatchEvent(new globalThis.Event('abort'))
  assert.is((await thrownBy(() => waiting)).message, 'stopped')
  const url = { href: 'file:///nowhere/module.mjs', protocol: 'file:' }
  assert.type(
    task(url as URL, function some() {}),
    'function',
  )
})

test.run()
