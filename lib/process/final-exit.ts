// The exit code of this thread once it is final: after the last exit handler, which may still change it.

type Emit = (event: string | symbol, ...args: unknown[]) => boolean

/**
 * Call back with this thread's exit code when it is final. May be called more than once: the last call counts.
 * @param callback `isLast`: nothing of the program runs after it. A program that has replaced `process.emit` may change the code then
 * Not: an exit handler. Those of the target run after it, and may set `process.exitCode`, call `process.exit`, or throw.
 */
export function onFinalExit(callback: (code: number, isLast: boolean) => void): void {
  const thread = process as unknown as { emit: Emit; reallyExit: (code?: number) => never }
  const { emit, reallyExit } = thread
  const emitAndTell: Emit = (event, ...args) => {
    const handled = Reflect.apply(emit, process, [event, ...args])
    if (event === 'exit') callback(Number(process.exitCode ?? args[0]), thread.emit === emitAndTell)
    return handled
  }
  thread.emit = emitAndTell
  // What process.exit ends with. Called in an exit handler, it ends the thread there.
  thread.reallyExit = (code = 0) => {
    callback(code, true)
    return Reflect.apply(reallyExit, process, [code])
  }
}
