// Time limits of the task that a lease's worker runs. One timer per lease.
import { MAX_TIMER_MS } from '../../base/timer.js'
import { clock, type LeaseSlots } from '../protocol/lease-slots.js'
import type { Lease } from './lease.js'

/** Call `onTimeUp` when the only task of the lease has run for its time. The time counts from when the worker begins it. */
export function startTimeLimit(slots: LeaseSlots, lease: Lease, onTimeUp: () => void): void {
  const { timeoutMs } = lease.jobs[0]!
  const watch = () => {
    const leftMs = lease.claimed > 0 ? slots.begunAt(lease.holder.slot) + timeoutMs - clock() : timeoutMs
    if (leftMs <= 0) onTimeUp()
    else lease.stopTimer = setTimeout(watch, Math.min(Math.ceil(leftMs), MAX_TIMER_MS))
  }
  watch()
}

/** Call `stop` after the grace of a task that was asked to stop: at once for none, never for Infinity. */
export function stopAfter(lease: Lease, graceMs: number, stop: () => void): void {
  clearTimeout(lease.stopTimer)
  if (graceMs <= 0) stop()
  else if (graceMs !== Infinity) lease.stopTimer = setTimeout(stop, Math.min(graceMs, MAX_TIMER_MS))
}
