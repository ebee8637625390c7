// Shareable classes for shareable.spec.ts, and what it runs in other threads. Started as a raw Worker, too.
import { attach, task, type Task } from 'manyhands'
import { makeShareable, registerShareable } from '#internals'
import { isMainThread, parentPort, workerData, type MessagePort } from 'node:worker_threads'

/** An integer in shared memory. */
export class Cell {
  readonly #words: Int32Array
  constructor(words?: Int32Array) {
    this.#words = words ?? new Int32Array(new SharedArrayBuffer(4))
    if (!words) makeShareable(this, 'spec.cell', this.#words)
  }
  add(n: number): void {
    Atomics.add(this.#words, 0, n)
  }
  get value(): number {
    return Atomics.load(this.#words, 0)
  }
}
registerShareable('spec.cell', ([, , words]) => new Cell(words as Int32Array))

/** One end of a channel. */
export class Wire {
  readonly port: MessagePort
  constructor(port: MessagePort, made = false) {
    this.port = port
    if (!made) makeShareable(this, 'spec.wire', port)
  }
}
registerShareable(
  'spec.wire',
  ([, , port], here?: Wire) => (here?.port === port ? here! : new Wire(port as MessagePort, true)),
  { onSend: ({ port }: Wire) => [port] },
)

/** Counts how often it is sent and received. */
export class Counted {
  sent = 0
  received = 0
  constructor() {
    makeShareable(this, 'spec.counted')
  }
}
registerShareable(
  'spec.counted',
  (_handle, here?: Counted) => {
    here!.received++
    return here!
  },
  {
    onSend: (counted: Counted) => {
      counted.sent++
      return []
    },
  },
)

/** All that is reached from `root` and is a Cell. */
function cellsIn(root: unknown): Cell[] {
  const seen = new Set<unknown>()
  const cells: Cell[] = []
  const queue: unknown[] = [root]
  for (const value of queue) {
    if (typeof value !== 'object' || value === null || seen.has(value)) continue
    seen.add(value)
    if (value instanceof Cell) cells.push(value)
    else if (value instanceof Map) queue.push(...[...value].flat())
    else if (value instanceof Set) queue.push(...value)
    else queue.push(...Object.values(value))
  }
  return cells
}

export const addToAll: Task<[MessagePort, unknown]> = task(import.meta.url, function addToAll(port, value) {
  const cells = cellsIn(value)
  for (const cell of cells) cell.add(1)
  port.postMessage(cells.length)
})

export const compare: Task<[MessagePort, Cell, { again: Cell }, MessagePort]> = task(
  import.meta.url,
  async function compare(port, cell, { again }, later) {
    const message = await new Promise((resolve) => later.once('message', resolve))
    port.postMessage([cell === again, attach(message) === cell])
  },
)

export const release: Task<[MessagePort, Cell]> = task(import.meta.url, function release(port, cell) {
  cell.add(5)
  port.postMessage({ given: [cell], made: new Cell() })
})

export const useWire: Task<[MessagePort, { wire: Wire; same: Wire }]> = task(
  import.meta.url,
  function useWire(port, { wire, same }) {
    wire.port.postMessage(['through the wire', wire instanceof Wire, wire === same])
    port.postMessage(wire, [wire.port])
  },
)

export const giveBack: Task<[MessagePort, unknown[]]> = task(import.meta.url, function giveBack(port, list) {
  const { port: moved } = list.at(-1) as Wire
  port.postMessage(list, [moved])
})

export const throwCell: Task<[Cell]> = task(import.meta.url, function throwCell(cell) {
  throw Object.assign(new Error('with a cell'), { cell })
})

if (!isMainThread && workerData?.raw) {
  const { cell, deep } = attach(workerData) as { cell: Cell; deep: Map<string, Cell[]> }
  cell.add(1)
  parentPort!.on('message', (message: unknown) => {
    const received = attach(message) as Set<Cell>
    for (const one of received) one.add(10)
    parentPort!.postMessage([deep.get('k')![0] === cell, received.has(cell), cell])
    parentPort!.close()
  })
}
