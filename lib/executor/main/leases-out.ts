// The leases that an executor's workers have, as a whole.
import type { Job } from './job.js'
import type { Lease } from './lease.js'
import { NOTHING_TO_WATCH, type Look } from './watchdog.js'

export class LeasesOut extends Set<Lease> {
  /** Whether every job of theirs is done. */
  get areDone(): boolean {
    for (const lease of this) if (!lease.isDone) return false
    return true
  }

  /**
   * The watchdog's look at all of them.
   * @param takeBack called with those whose open tasks others should get
   */
  look(workers: { readonly canTakeMore: boolean }, takeBack: (lease: Lease) => void): Look {
    let found: Look = NOTHING_TO_WATCH
    for (const lease of this) {
      const seen = lease.look()
      if (lease.isBlocked || (lease.isUnbegun && workers.canTakeMore)) takeBack(lease)
      if (seen > found) found = seen
    }
    return found
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
