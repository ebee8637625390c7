import { Array as SharedArray, attach, Process, ProcessPoolExecutor, RLock } from 'manyhands'
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { assert, suite, thrownBy } from '../harness.js'
import { addManyTo, release } from './shared.tasks.js'

const test = suite('Array')

test('an Array is made of a length or of items', () => {
  assert.equal(new SharedArray('i', 3).slice(), [0, 0, 0])
  assert.equal(new SharedArray('d', [1, 2.5]).slice(), [1, 2.5])
  assert.equal(new SharedArray('q', new Set([1n, 2n])).slice(), [1n, 2n])
  assert.equal(new SharedArray('c', 'abc').slice(), ['a', 'b', 'c'])
  assert.equal(new SharedArray('?', [true, false]).slice(), [true, false])
  assert.is(new SharedArray('i', 0).length, 0)
})

test('an Array reads and writes elements by index, and its `at` counts from the end', async () => {
  const array = new SharedArray('i', [1, 2, 3])
  array.set(1, 20)
  assert.is(array.get(1), 20)
  assert.equal([array.at(0), array.at(-1), array.at(-3), array.at(3), array.at(-4)], [1, 3, 1, undefined, undefined])
  for (const index of [-1, 3, 0.5, NaN, '1' as never])
    for (const use of [() => array.get(index), () => array.set(index, 0), () => array.add(index, 1)])
      assert.instance(await thrownBy(use), RangeError)
  assert.equal([...array], [1, 20, 3])
})

test('an Array names the index and the length when it is out of range', async () => {
  assert.match((await thrownBy(() => new SharedArray('i', 3).get(7))).message, /7.*3/)
})

test('an Array fills and slices with the ranges of ordinary arrays', () => {
  const [ours, theirs] = [new SharedArray('i', 6), Array.from({ length: 6 }, () => 0)]
  for (const [start, end] of [
    [0, 6],
    [1, 3],
    [-2, undefined],
    [4, -1],
    [5, 2],
    [-100, 100],
  ]) {
    ours.fill(start!, start, end)
    theirs.fill(start!, start, end)
    assert.equal(ours.slice(), theirs)
    assert.equal(ours.slice(start, end), theirs.slice(start, end))
  }
})

test('an Array returns the previous element from every operation', () => {
  const array = new SharedArray('H', [0, 12])
  assert.equal(
    [array.add(1, 3), array.sub(1, 5), array.and(1, 6), array.or(1, 5), array.xor(1, 1), array.exchange(1, 40)],
    [12, 15, 10, 2, 7, 6],
  )
  assert.is(array.compareExchange(1, 40, 41), 40)
  assert.equal(array.slice(), [0, 41])
})

test('an Array shows the plain typed array over the same memory', () => {
  const array = new SharedArray('d', 4)
  assert.instance(array.view, Float64Array)
  assert.instance(array.view.buffer, SharedArrayBuffer)
  array.view[2] = 1.5
  assert.is(array.get(2), 1.5)
  assert.instance(new SharedArray('?', 1).view, Uint8Array)
  assert.instance(new SharedArray('L', 1).view, BigUint64Array)
})

test('an Array can be laid on existing memory, also of Wasm', () => {
  const { Memory } = (globalThis as any).WebAssembly
  const wasm = new Memory({ initial: 1, maximum: 1, shared: true })
  const buffer = wasm.buffer as SharedArrayBuffer
  const array = new SharedArray('d', [1, 2], { buffer, byteOffset: 16 })
  assert.equal([...new Float64Array(buffer, 16, 2)], [1, 2])
  array.set(0, 9)
  assert.is(new Float64Array(buffer)[2], 9)
  assert.is(new Float64Array(buffer)[0], 0)
})

test('an Array refuses an impossible length, buffer or byteOffset, with the numbers', async () => {
  const buffer = new SharedArrayBuffer(16)
  for (const [bad, words] of [
    [() => new SharedArray('d', 1, { buffer, byteOffset: 4 }), /multiple of 8.*4/],
    [() => new SharedArray('d', 1, { buffer, byteOffset: -8 }), /-8/],
    [() => new SharedArray('d', 3, { buffer }), /24 bytes.*16/],
    [() => new SharedArray('i', -1), /-1/],
    [() => new SharedArray('i', 1.5), /1\.5/],
    [() => new SharedArray('i', NaN), /NaN/],
    [() => new SharedArray('i', 1, { byteOffset: 4 }), /byteOffset/],
  ] as const) {
    const error = await thrownBy(bad)
    assert.instance(error, RangeError)
    assert.match(error.message, words)
  }
  for (const bad of [
    () => new SharedArray('i', [1, 2.5]),
    () => new SharedArray('i', {} as never),
    () => new SharedArray('x' as 'i', 1),
    () => new SharedArray('i', 1, { buffer: new ArrayBuffer(8) as never }),
  ])
    assert.instance(await thrownBy(bad), TypeError)
})

test('an Array loses no addition of several threads, in elements of one byte and in floats', async () => {
  const [bytes, floats] = [new SharedArray('B', 4), new SharedArray('f', 2)]
  const processes = [1, 2, 3].flatMap(() => [
    new Process({ target: addManyTo, args: [bytes, 2, 1, 10_000] }).start(),
    new Process({ target: addManyTo, args: [floats, 1, 0.5, 10_000] }).start(),
  ])
  await Promise.all(processes.map((process) => process.join()))
  assert.equal(bytes.slice(), [0, 0, 30_000 % 256, 0])
  assert.equal(floats.slice(), [0, 15_000])
})

test('an Array has a lock of its own, which arrives with it', async () => {
  await using executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  const array = new SharedArray('i', [1])
  assert.instance(array.getLock(), RLock)
  const back = (await executor.submit(release, array)) as typeof array
  assert.is(back, array)
  const obj = array.getObj()
  obj.set(0, 5)
  assert.is(array.get(0), 5)
  assert.is((await thrownBy(() => obj.getLock())).code, 'ERR_MANYHANDS_LOCK')
})

test('an Array passes through a postMessage of the program and is revived by attach', async () => {
  const array = new SharedArray('d', [1, 2])
  const worker = new Worker(
    `import { attach } from 'manyhands'
     import { parentPort, workerData } from 'node:worker_threads'
     const { array } = attach(workerData)
     array.add(0, 10)
     parentPort.postMessage({ list: [array] })`,
    { eval: true, workerData: { array }, execArgv: ['--input-type=module'] },
  )
  const [message] = await once(worker, 'message')
  assert.is(attach(message as { list: unknown[] }).list[0], array)
  assert.is(array.get(0), 11)
})

test.run()
