// What the main thread and a worker of an executor say to each other: one tagged union each way.
//
//   main ──LeaseMessage──> worker     by the port `leases`; the worker answers each with one LeaseEnd
//   main ──CallMessage───> worker     by the same port: the short form of a lease of one call; answered by a number where all went well
//   main ──END──> worker              by the same port, as the last: it ends by itself
//   main <──ResultMessage── worker    by the port `results`; main reads it when a task counts as finished, and has no listener
//
// Small results need no message: they lie in the worker's result slots (lease-slots.ts).
import type { MessagePort } from 'node:worker_threads'
import type { Identity } from '../../process/control-block.js'
import type { Definition } from '../../task/target.js'
import type { SentColumn } from '../../transport/column.js'
import type { Failure } from '../../transport/error-codec.js'
import type { Packed } from '../../transport/pack.js'
import type { Plan } from '../range/blocks.js'
import type { SlotMemory } from './lease-slots.js'

/** What each worker of an executor receives as it boots. */
export interface WorkerSetup {
  slots: SlotMemory
  creator: Pick<Identity, 'numbers' | 'parent'>
  /** Called before the first task. */
  initializer: Definition | undefined
  /** Called before the worker ends by itself, if it was initialized. */
  finalizer: Definition | undefined
  /** The arguments of both. */
  initargs: Packed
  /** The worker retires after this many tasks. */
  maxTasks: number
}

/** The ports between one worker and its executor, at one end. The worker's parent port belongs to its tasks. */
export interface WorkerPorts {
  leases: MessagePort
  results: MessagePort
}

/** What a worker receives once, when it is given to its executor. */
export interface WorkerStart extends WorkerPorts {
  /** Its place in the executor's slots. */
  slot: number
  /** Where what it prints goes: see lib/thread/output.ts. */
  output: MessagePort
}

/** The `workerData` of a first thread, which is booted without piscina: see main/threads/piscina-threads.ts. */
export interface FirstThreadData extends WorkerSetup {
  first: WorkerStart
}

/** The worker has nothing more to do: it runs its finalizer and its exit handlers, and ends. */
export const END = 'end'

/** A lease: tasks that one message carries to a worker. */
export interface LeaseMessage {
  /** How many tasks it has. */
  count: number
  body: LeaseBody
  /** The functions that this worker does not know yet, by number. */
  definitions: [number: number, definition: Definition][]
  /** The functions that this worker is to forget, by number. None of them is needed for the lease. */
  forgotten?: number[]
}

/**
 * A lease of one call: the number of its function, which the worker knows, and its arguments. Nothing is moved with it, and it has
 * no shareables. A flat array costs several microseconds less than a LeaseMessage, to write and to read. Only for a worker that
 * never retires: the number that answers it does not tell how many tasks are left.
 */
export type CallMessage = readonly [target: number, ...args: unknown[]]

/** What a worker is to do. */
export type LeaseBody =
  /**
   * Call functions, by number (a single number: the same function for every task). The arguments are concatenated, `arity`
   * per task. With an `arity` of -1 there is an array per task, as such or as the words of a tree.
   */
  | { kind: 'calls'; targets: number | readonly number[]; args: Packed; arity: number }
  /** Call the target once per item. Stops at the first failure, unless `settled`. */
  | {
      kind: 'map'
      target: number
      items: PackedColumn
      arity: number
      spread: boolean
      settled: boolean
    }
  /** Compute blocks of a range, which the workers of the range claim from a shared counter: see range/blocks.ts. */
  | { kind: 'blocks'; target: number; args: Packed; plan: Plan; counter: SharedArrayBuffer; keep: boolean }

/** Values in a column, with their shareables packed. */
export interface PackedColumn extends Packed {
  value: SentColumn
}

/** How a worker answers a lease. A number: the call of a CallMessage is over, and took so many milliseconds. */
export type LeaseAnswer = LeaseEnd | number

/** How a lease ended. */
export type LeaseEnd =
  | {
      kind: 'ended'
      /** For each function that ran, flat: its number, the calls, and the milliseconds they took together. */
      spent: number[]
      /** How many tasks the worker may still run. */
      tasksLeft: number
      /** The worker has run its last task and exits. */
      retires: boolean
    }
  /** The worker could not read the message: for example, it is nested too deeply for its stack. No task was run. */
  | { kind: 'unread'; failure: Failure }
  /** No task can run in this worker: its initializer failed, or a task's module cannot be imported. */
  | { kind: 'broken'; what: string; failure: Failure }

/** What a task came to. */
export type TaskResult =
  | { kind: 'returned'; value: Packed }
  | { kind: 'threw'; failure: Failure }
  /** The values of a map's chunk, and the failures that stand in place of some: `[index, failure]`. */
  | { kind: 'mapped'; values: PackedColumn; failures: [number, Failure][] }
  /** The same, of a chunk that the thread leaves unfinished as it exits. */
  | { kind: 'left'; values: PackedColumn; failures: [number, Failure][] }
  /** A worker's share of a range. The count of its blocks, where that is all that is wanted, is returned. */
  | { kind: 'computed'; share: Packed }

export type ResultMessage =
  /** The thread is up and begins its initializer, at this time by `clock()`. */
  | { kind: 'up'; atMs: number }
  /** The worker can run tasks. */
  | { kind: 'ready' }
  /** What the task of this index in the lease came to. Posted before the task counts as finished. */
  | { kind: 'result'; index: number; result: TaskResult }
