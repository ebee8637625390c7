// A lease: the work that one message carries to a worker, and what comes back. One tagged union each way.
//
// What each task returned comes by way of the slot's strip (claims.ts) or, where it has no place there, by a message on the
// worker's own port, posted before the task counts as finished. The lease's end tells only what the tasks cost.
import type { MessagePort } from 'node:worker_threads'
import type { Packed } from '../../transport/shareable.js'
import type { Failure } from '../../transport/error-codec.js'
import type { Definition } from '../../task/target.js'
import type { Plan } from '../range/blocks.js'
import type { SentColumn } from '../../transport/column.js'

/** Values one behind the other. */
export interface PackedColumn extends Packed {
  value: SentColumn
}

/** What a worker is told to do. */
export type LeaseBody =
  /** Calls, a task each, of the functions with these numbers (one number: all of the same). */
  | { kind: 'calls'; targets: number | readonly number[]; args: Packed; arity: number }
  /** Call the target once per item. Stops at the first failure, unless `settled`; a call that throws is tried again `retries` times. */
  | {
      kind: 'map'
      target: number
      items: PackedColumn
      arity: number
      spread: boolean
      settled: boolean
      retries: number
    }
  /** Compute blocks of a range with others who were told the same: see blocks.ts. */
  | { kind: 'blocks'; target: number; args: Packed; plan: Plan; claims: SharedArrayBuffer; keep: boolean }

// The arguments of `calls` lie one behind the other, `arity` for each; where `arity` is -1, there is an array for each: as such, or
// as the words of a tree.

export interface LeaseMessage {
  slot: number
  /** How many tasks it has. */
  count: number
  assignment: LeaseBody
  /** Functions that this worker was not told of before, by the numbers that it will know them by. */
  news: [number: number, definition: Definition][]
}

/** How a lease ended. */
export type LeaseEnd =
  /** For each function that ran, flat: its number, how many calls, and how many milliseconds they took together. */
  | { kind: 'ended'; spent: number[] }
  /** The worker could not read it: it is nested more deeply than its stack is, say. Nothing of it was run. */
  | { kind: 'unread'; failure: Failure }
  /** No task can run in this worker: its initializer failed, or a task's module cannot be imported. */
  | { kind: 'broken'; what: string; failure: Failure }

/** What became of a task. */
export type TaskResult =
  | { kind: 'returned'; value: Packed }
  /** The values of a map, and what was thrown in place of some: `[index, failure]`. */
  | { kind: 'mapped'; values: PackedColumn; failures: [number, Failure][] }
  | { kind: 'threw'; failure: Failure }
  /** What it did of a range. */
  | { kind: 'computed'; share: Packed }
  /** The thread ends amid a map: what it had done of the chunk, as for `mapped`. */
  | { kind: 'left'; values: PackedColumn; failures: [number, Failure][] }

/** One end of the line between a worker and its executor: ports of its own. The worker's parent port belongs to its tasks. */
export interface Line {
  /** There go leases, and back comes the end of each. */
  leases: MessagePort
  /** By this come the worker's other messages. */
  outcomes: MessagePort
}

/** A worker's own messages to the executor. `task` is a task's place in the lease that has the slot. */
export type WorkerMessage = { kind: 'ready' } | { kind: 'outcome'; slot: number; task: number; outcome: TaskResult }
