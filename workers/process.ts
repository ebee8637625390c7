// The thread of one Process. It boots, waits for its start message, runs the target, and ends when the target has settled and
// the event loop has nothing left.
import { parentPort, type MessagePort } from 'node:worker_threads'
import { store } from '../lib/memory/atomics.js'
import { unpack } from '../lib/transport/shareable.js'
import { begin, CANCELLED, EXITING, EXIT_CODE, type ProcessMessage } from '../lib/process/control-block.js'
import { becomeProcess } from '../lib/process/current-process.js'
import { postOutputAtOnce } from '../lib/thread/output.js'
import { encodeFailure } from '../lib/transport/error-codec.js'
import { inheritLoader } from '../lib/task/tsx-loader.js'
import { ImportFailure, loadTarget, runTarget } from '../lib/task/target.js'

// Node's exit codes of an uncaught error, and of one in a handler of uncaught errors.
const UNCAUGHT = 1
const HANDLER_FAILED = 7

const port = parentPort!
const lifelines: MessagePort[] = []

postOutputAtOnce()

port.on('message', (message: ProcessMessage) => {
  switch (message.kind) {
    case 'start':
      void run(message)
      break
    case 'lifeline':
      lifelines.push(message.port)
      break
    default:
      message satisfies never
  }
})

port.postMessage(null) // booted: see lib/process/warm-threads.ts

// With nothing to do by then, this thread is in reserve: load what a task's module is going to need.
let preloading: Promise<unknown> | undefined
const preload = setTimeout(() => {
  preloading = Promise.allSettled([inheritLoader(), import('../lib/index.js')])
}, 20)

async function run({
  identity,
  control,
  target,
  args,
  mailbox,
  env,
}: ProcessMessage & { kind: 'start' }): Promise<void> {
  clearTimeout(preload)
  await preloading // A CommonJS module cannot require what is half imported.
  if (!begin(control)) return
  if (env) replaceEnvironment(env)
  becomeProcess(identity).watchCancellation(control, CANCELLED)
  process.once('exit', (code) => {
    // The program's own handler took the error and ended the thread.
    if (code !== UNCAUGHT && code !== HANDLER_FAILED) mailbox.postMessage(null)
    store(control, EXIT_CODE, code)
    store(control, EXITING, 1) // publishes the code; pairs with load(EXITING) in the parent
  })
  process.on('uncaughtExceptionMonitor', (thrown) => {
    mailbox.postMessage(encodeFailure(thrown))
    // If the program's own handler saves the thread, this takes it back.
    if (process.listenerCount('uncaughtException') > 0) setImmediate(() => mailbox.postMessage(null)).unref()
    // Not: leave it to Node. Node sends the error, too, and a long or cyclic chain of causes overflows the parent's stack.
    else process.exit(UNCAUGHT)
  })
  try {
    if (args.handles) await import('../lib/index.js') // The classes of what is to be rebuilt.
    await runTarget(target, await loadTarget(target), unpack(args) as unknown[])
  } catch (thrown) {
    // On a turn of its own, where nothing catches it: it ends the thread as any uncaught error does.
    process.nextTick(() => {
      throw thrown instanceof ImportFailure ? thrown.reason : thrown
    })
  }
  port.unref()
}

function replaceEnvironment(env: NodeJS.ProcessEnv): void {
  for (const key of Object.keys(process.env)) if (!(key in env)) delete process.env[key]
  Object.assign(process.env, env)
}
