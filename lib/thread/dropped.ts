// What is dropped without having been shut down: its threads are given back when it is collected, and a warning says so, once in each
// thread, since a program that drops one drops many.
let warned = false

/**
 * Warn, unless that was done.
 * @param what what was dropped, with its article
 */
export function warnDropped(what: string): void {
  if (warned) return
  warned = true
  const message =
    `${what} was dropped without being shut down: its threads lived until it was collected;` +
    ' call shutdown(), or declare it with await using'
  process.emitWarning(message, { code: 'MANYHANDS_NOT_SHUT_DOWN' })
}
