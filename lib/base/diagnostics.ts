// What the package itself does, for whoever wants to know: published on node:diagnostics_channel, as objects, and handed to the
// log (lib/process/logging.ts). It lies this low because locks have something to tell, too. Nobody listens: one comparison.
//
//   channel             events
//   manyhands:process   started, ended
//   manyhands:task      workerDied, broken
//   manyhands:lock      abandoned, recovered
import { channel, type Channel } from 'node:diagnostics_channel'

/** What happened. `pid` is a thread's id. */
export type PackageEvent =
  | { event: 'started'; name: string; pid: number }
  | { event: 'ended'; name: string; pid: number; exitcode: number | null }
  | { event: 'workerDied'; pid: number; exitcode: number }
  | { event: 'broken'; message: string; cause: unknown }
  | { event: 'abandoned'; pid: number }
  | { event: 'recovered' }

const channels: Record<'process' | 'task' | 'lock', Channel> = {
  process: channel('manyhands:process'),
  task: channel('manyhands:task'),
  lock: channel('manyhands:lock'),
}

let log: { wants(): boolean; write(event: PackageEvent): void } | undefined

/** Have the events logged, too. Called by the module of the log. */
export function logEventsBy(logger: NonNullable<typeof log>): void {
  log = logger
}

/** Tell what has happened. @param describe called when somebody wants to know */
export function publish(about: keyof typeof channels, describe: () => PackageEvent): void {
  const { [about]: published } = channels
  const logged = log !== undefined && log.wants()
  if (!published.hasSubscribers && !logged) return
  const event = describe()
  if (logged) log!.write(event)
  published.publish(event)
}
