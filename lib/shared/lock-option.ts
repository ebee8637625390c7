// The lock that goes with shared memory, as in Python: one of its own, none, or one that several objects share.
import { inspect } from 'node:util'
import { checkOptions } from '../base/validate.js'
import { LockError } from '../errors.js'
import { Lock } from '../sync/lock.js'
import { RLock } from '../sync/rlock.js'
import { attach } from '../transport/pack.js'

export interface LockOption {
  /** `true`: a re-entrant lock of its own; `false`: none; or an existing lock. @default true */
  lock?: boolean | Lock | RLock | undefined
}

/** Check the options of a class that has a lock. @param known the names of all its options. @throws TypeError */
export function lockFor(
  options: LockOption,
  what: string,
  known: readonly string[] = ['lock'],
): Lock | RLock | undefined {
  checkOptions(options, what, known)
  const { lock = true } = options
  if (lock === true) return new RLock()
  if (lock === false) return undefined
  if (lock instanceof Lock || lock instanceof RLock) return lock
  throw new TypeError(`lock must be true, false, a Lock or an RLock, not ${inspect(lock)}`)
}

/** The lock that a handle carried. */
export function lockFrom(part: unknown): Lock | RLock | undefined {
  return attach(part) as Lock | RLock | undefined
}

/** @throws LockError there is none */
export function requireLock<L>(lock: L | undefined, what: string): L {
  if (lock) return lock
  throw new LockError(`this ${what} was made with lock: false, and has no lock`)
}
