// Time limits of the task that a lease's worker runs, and of a worker that comes to none. One timer per lease.
import { startTimer } from '../../base/timer.js'
import { clock, type LeaseSlots } from '../protocol/lease-slots.js'
import type { Lease } from './lease.js'

/** A thread that has not come up by then counts as if it had. */
const MAX_BOOT_MS = 10_000

/** While the thread boots, this is how often at most its state is looked at. */
const MIN_BOOT_LOOK_MS = 10

/** What a worker begins for a cancelled task may never end. It gets this long while other tasks wait. */
const MAX_UNWANTED_MS = 2000

/**
 * Call `onTimeUp` when the only task of the lease has run for its time, or when its worker has not begun it for as long. The time
 * counts from when the worker begins the task; before that, from when it was given to the worker or, later, the worker's thread
 * came up. So an initializer that never ends is over in time, and one that ends in time costs the task nothing.
 */
export function startTimeLimit(slots: LeaseSlots, lease: Lease, onTimeUp: () => void): void {
  const { timeoutMs } = lease.jobs[0]!
  if (timeoutMs <= 0) return onTimeUp()
  const { holder } = lease
  const givenAtMs = clock()
  const watch = () => {
    const isUp = holder.isUp
    const upAtMs = holder.upAtMs ?? givenAtMs + MAX_BOOT_MS
    const sinceMs = lease.claimed > 0 ? slots.begunAt(holder.slot) : Math.max(givenAtMs, upAtMs)
    const leftMs = sinceMs + timeoutMs - clock()
    if (leftMs <= 0) return onTimeUp()
    const lookMs = isUp ? leftMs : Math.min(leftMs, Math.max(timeoutMs, MIN_BOOT_LOOK_MS))
    lease.stopTimer = startTimer(lookMs, watch)
  }
  watch()
}

/**
 * Stop a task that runs: ask it, and call `terminate` with its worker's slot if it still runs when its grace is over. A grace of 0:
 * at once; of Infinity: never.
 */
export function stopTask(
  slots: LeaseSlots,
  lease: Lease,
  index: number,
  graceMs: number,
  terminate: (slot: number) => void,
): void {
  if (!lease.runs(index)) return
  const { slot } = lease.holder
  lease.stopTimer?.()
  if (graceMs <= 0) return terminate(slot)
  slots.askToStop(slot)
  if (graceMs === Infinity) return
  lease.stopTimer = startTimer(graceMs, () => {
    if (lease.runs(index)) terminate(slot)
  })
}

/**
 * Jobs of the lease were withdrawn. If none is left, and its worker has not come to them, then its initializer or an import may never
 * end: call `end` once other jobs have waited for the worker. It is left alone while none waits.
 */
export function watchUnwanted(lease: Lease, haveWaiting: () => boolean, end: () => void): void {
  if (!lease.isUnwanted) return
  lease.stopTimer?.()
  const look = () => {
    if (!lease.isUnwanted) return
    if (lease.holder.isUp && haveWaiting()) end()
    else watchUnwanted(lease, haveWaiting, end)
  }
  lease.stopTimer = startTimer(MAX_UNWANTED_MS, look, { hold: false })
}
