// Work that must go on while this thread blocks and its event loop stands still. Code that blocks the thread runs these hooks.
import { perThread } from '../copies.js'
import { readThreadStat } from './os-thread.js'

const blockedHooks = perThread('blocked hooks', () => new Set<() => void>())
const longWaitHooks = perThread('long wait hooks', () => new Set<() => void>())

/** Run `hook` every few milliseconds while this thread blocks. @returns what removes the hook */
export function onBlocked(hook: () => void): () => void {
  blockedHooks.add(hook)
  return () => void blockedHooks.delete(hook)
}

const running = perThread('running hooks', () => ({ now: false }))

/** Do what the event loop would do. @returns whether there are hooks, which want to run again in a few milliseconds */
export function runBlockedHooks(): boolean {
  const outer = running.now
  running.now = true
  try {
    for (const hook of blockedHooks) hook()
  } finally {
    running.now = outer
  }
  return blockedHooks.size > 0
}

/** Whether this is within a blocked hook, where a user's callback must not be called: it would run inside the blocking call. */
export function isInBlockedHook(): boolean {
  return running.now
}

/** Run `hook` before this thread blocks for long, where the system does not report deaths. @returns what removes the hook */
export function onLongWait(hook: () => void): () => void {
  longWaitHooks.add(hook)
  return () => void longWaitHooks.delete(hook)
}

/** This thread is about to block for long. */
export function runLongWaitHooks(): void {
  if (longWaitHooks.size > 0 && typeof readThreadStat('self') === 'string') for (const hook of longWaitHooks) hook()
}
