// Listening to a caller's AbortSignal, for thousands of waits and tasks at a time: one listener per signal, which calls all of
// them. With a listener each, Node would warn of a leak from the eleventh on.
const listening = new WeakMap<AbortSignal, Set<() => void>>()

/** Call back when the signal aborts; not if it already has. @returns what stops listening */
export function whenAborted(signal: AbortSignal | undefined, callback: () => void): () => void {
  if (!signal) return () => {}
  const callbacks = listening.get(signal) ?? listen(signal)
  callbacks.add(callback)
  return () => {
    callbacks.delete(callback)
    if (callbacks.size > 0 || listening.get(signal) !== callbacks) return
    listening.delete(signal)
    signal.removeEventListener('abort', onAbort)
  }
}

function listen(signal: AbortSignal): Set<() => void> {
  const callbacks = new Set<() => void>()
  listening.set(signal, callbacks)
  signal.addEventListener('abort', onAbort)
  return callbacks
}

function onAbort({ target }: Event): void {
  for (const callback of listening.get(target as AbortSignal) ?? []) callback()
}
