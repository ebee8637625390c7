// Time limits of the task that a lease's worker runs. One timer per lease.
import { startTimer } from '../../base/timer.js'
import { clock, type LeaseSlots } from '../protocol/lease-slots.js'
import type { Lease } from './lease.js'

/** Call `onTimeUp` when the only task of the lease has run for its time. The time counts from when the worker begins it. */
export function startTimeLimit(slots: LeaseSlots, lease: Lease, onTimeUp: () => void): void {
  const { timeoutMs } = lease.jobs[0]!
  const watch = () => {
    const leftMs = lease.claimed > 0 ? slots.begunAt(lease.holder.slot) + timeoutMs - clock() : timeoutMs
    if (leftMs <= 0) onTimeUp()
    else lease.stopTimer = startTimer(leftMs, watch)
  }
  watch()
}

/** Call `stop` when the grace of a task that was asked to stop is over. 0: at once; Infinity: never. */
export function stopAfter(lease: Lease, graceMs: number, stop: () => void): void {
  lease.stopTimer?.()
  if (graceMs <= 0) stop()
  else if (graceMs !== Infinity) lease.stopTimer = startTimer(graceMs, stop)
}
