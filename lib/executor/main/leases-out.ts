// The leases that an executor's workers have, as a whole.
import type { Job } from './job.js'
import type { Lease } from './lease.js'

export class LeasesOut extends Set<Lease> {
  /** Whether every job of theirs is done. */
  get areDone(): boolean {
    for (const lease of this) if (!lease.isDone) return false
    return true
  }

  /** How many of their workers are about to be free. */
  get endingCount(): number {
    let ending = 0
    for (const lease of this) if (lease.isEnding) ending++
    return ending
  }

  /** How many jobs of theirs run, and how many wait behind these. */
  count(): { queued: number; running: number } {
    let [queued, running] = [0, 0]
    for (const lease of this) {
      lease.settleFinished()
      const count = lease.count()
      running += count.running
      queued += count.queued
    }
    return { queued, running }
  }

  unsettledJobs(): Job[] {
    return [...this].flatMap(({ jobs }) => jobs as Job[]).filter(({ over }) => !over)
  }
}
