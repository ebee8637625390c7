// The shared words of one Process, and the messages to its thread.
//
// word   field       written by              meaning
//  0     ENDED       parent, its reaper      1: the thread's JavaScript has stopped; notified
//  1     EXITING     the process             1: it is ending by itself, with the code in EXIT_CODE
//  2     EXIT_CODE   the process             valid once EXITING is 1
//  3     CANCELLED   parent                  1: asked to stop (terminate with grace); notified
//  4     BEGUN       whoever is first        WAITING --process--> RUNNING;  WAITING --parent, which ends it--> NEVER
//
// EXITING is stored after EXIT_CODE and read before it.
// A thread that is terminated while it boots tells nobody but its parent's event loop. NEVER spares joinSync the wait for it:
// what has not begun never will.
import type { MessagePort } from 'node:worker_threads'
import type { Packed } from '../transport/shareable.js'
import { compareExchange, type Words } from '../memory/atomics.js'
import type { Definition } from '../task/target.js'

export const ENDED = 0
export const EXITING = 1
export const EXIT_CODE = 2
export const CANCELLED = 3
const BEGUN = 4
const WORD_COUNT = 5

const WAITING = 0
const RUNNING = 1
const NEVER = 2

export function newControl(): Words {
  return new Int32Array(new SharedArrayBuffer(WORD_COUNT * Int32Array.BYTES_PER_ELEMENT))
}

/** In the process: whether it may begin. */
export function begin(control: Words): boolean {
  return compareExchange(control, BEGUN, WAITING, RUNNING) === WAITING
}

/** In the parent, as it ends the thread: whether the process will never have begun. */
export function forestall(control: Words): boolean {
  return compareExchange(control, BEGUN, WAITING, NEVER) !== RUNNING
}

/** What a thread of processes is told. */
export type ProcessMessage =
  | {
      kind: 'start'
      identity: Identity
      control: Words
      target: Definition
      args: Packed
      /** Where the process leaves the Failure that ends it. The parent reads it when the thread has stopped. */
      mailbox: MessagePort
      /** The environment, where it is not what the thread was booted with. */
      env: NodeJS.ProcessEnv | undefined
    }
  /** A port to hold and never use: its other end closes when the thread dies. */
  | { kind: 'lifeline'; port: MessagePort }

/** Who a process is. */
export interface Identity {
  name: string
  /** `[2, 1]` is the first child of the main program's second. */
  numbers: readonly number[]
  daemon: boolean
  parent: { name: string; pid: number }
}
