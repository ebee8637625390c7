// The lock that goes with a shared value or array, as in Python: one of its own, none, or one that several share.
import { inspect } from 'node:util'
import { LockError } from '../errors.js'
import { attach } from '../transport/shareable.js'
import { Lock } from '../sync/lock.js'
import { RLock } from '../sync/rlock.js'

export interface LockOption {
  /** `true`: a re-entrant lock of its own; `false`: none; or a lock that is there already. @default true */
  lock?: boolean | Lock | RLock | undefined
}

/** The lock that an option means. @throws TypeError */
export function lockFor({ lock = true }: LockOption): Lock | RLock | undefined {
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
