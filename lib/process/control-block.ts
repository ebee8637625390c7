// The control block of one process, a few shared words, and the messages to its thread.
//
// word   field              written by          meaning
//  0     ENDED              parent, reaper      1: the thread's JavaScript has stopped; notified
//  1     EXITING            the process         1: it is ending by itself, with the code in EXIT_CODE
//  2     EXIT_CODE          the process         valid once EXITING is 1
//  3     CANCEL_REQUESTED   parent              1: asked to stop (terminate with grace); notified
//  4     START_STATE        either, the first   START_PENDING --process, before it runs its target--> STARTED
//                                               START_PENDING --parent, before it ends the thread--> START_PREVENTED
//  5     EXIT_COMPLETE      the process         1: EXIT_CODE is what Node will report, and no output is left in Node's own streams
//
// EXITING is stored after EXIT_CODE and EXIT_COMPLETE, and read before them.
// When a thread is terminated while it boots, only its parent's event loop learns of that. START_PREVENTED tells a blocked
// parent that the target will never run, so that joinSync need not wait for the thread.
import type { MessagePort } from 'node:worker_threads'
import type { InheritedState } from './inherited-state.js'
import type { Packed } from '../transport/pack.js'
import { compareExchange, type Words } from '../memory/atomics.js'
import type { Definition } from '../task/target.js'

/** Exit code after `terminate()`, and after the grace of `terminate({ grace })`: minus SIGTERM, as in Python. */
export const TERMINATED_EXITCODE = -15
/** Exit code after `kill()`: minus SIGKILL, as in Python. */
export const KILLED_EXITCODE = -9

export const ENDED = 0
export const EXITING = 1
export const EXIT_CODE = 2
export const CANCEL_REQUESTED = 3
const START_STATE = 4
export const EXIT_COMPLETE = 5
const CONTROL_WORDS = 6

const START_PENDING = 0
const STARTED = 1
const START_PREVENTED = 2

export function newControlBlock(): Words {
  return new Int32Array(new SharedArrayBuffer(CONTROL_WORDS * Int32Array.BYTES_PER_ELEMENT))
}

/** In the process: whether it may run its target. */
export function claimStart(control: Words): boolean {
  return compareExchange(control, START_STATE, START_PENDING, STARTED) === START_PENDING
}

/** In the parent, before it ends the thread: whether the target will never run. */
export function preventStart(control: Words): boolean {
  return compareExchange(control, START_STATE, START_PENDING, START_PREVENTED) !== STARTED
}

/** A message to a thread that runs a process. */
export type ProcessMessage =
  /** The first one: what it shares with the parent. A warm thread makes use of it before the start. */
  | {
      kind: 'equip'
      control: Words
      /** Where the process leaves the Failure that ends it. The parent reads it when the thread has stopped. */
      mailbox: MessagePort
      /** Where what it prints goes: see lib/thread/output.ts. */
      output: MessagePort
    }
  | {
      kind: 'start'
      identity: Identity
      target: Definition
      args: Packed
      /** What the thread would inherit if it were booted now, where that differs. */
      changed: Partial<InheritedState>
    }
  /** A port to hold and never use: its other end closes when the thread dies. */
  | { kind: 'lifeline'; port: MessagePort }

/** What a process is told about itself. */
export interface Identity {
  name: string
  /** `[2, 1]` is the first child of the main program's second. */
  numbers: readonly number[]
  daemon: boolean
  parent: { name: string; pid: number }
}
