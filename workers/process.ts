// The thread of one Process. It boots, waits for its start message, runs the target, and ends when the target has settled and
// the event loop has nothing left.
import { parentPort, type MessagePort } from 'node:worker_threads'
import { clearTimeout, nextTick, Promise, setImmediate, setTimeout } from '../lib/base/clock.js'
import { notifyAll, store } from '../lib/memory/atomics.js'
import { unpack } from '../lib/transport/pack.js'
import {
  CANCEL_REQUESTED,
  claimStart,
  ENDED,
  EXIT_CODE,
  EXIT_COMPLETE,
  EXITING,
  type ProcessMessage,
} from '../lib/process/control-block.js'
import { becomeProcess } from '../lib/process/current-process.js'
import { inherit } from '../lib/process/inherited-state.js'
import { onFinalExit } from '../lib/process/final-exit.js'
import { registerThread } from '../lib/thread/liveness.js'
import { postOutput } from '../lib/thread/output.js'
import { encodeFailure } from '../lib/transport/error-codec.js'
import { inheritLoader } from '../lib/task/tsx-loader.js'
import { ImportFailure, loadTarget, runTarget } from '../lib/task/target.js'

// Node's exit codes: of an uncaught error, and of an error in a handler of uncaught errors.
const UNCAUGHT = 1
const HANDLER_FAILED = 7

const port = parentPort!
const lifelines: MessagePort[] = []

/** What this thread shares with its parent. The message with it comes before the one that starts the process. */
let equipment: ProcessMessage & { kind: 'equip' }

port.on('message', (message: ProcessMessage) => {
  switch (message.kind) {
    case 'equip':
      equipment = message
      preload = setTimeout(becomeWarm, 20)
      break
    case 'start':
      void runProcess(message)
      break
    case 'lifeline':
      lifelines.push(message.port)
      break
    default:
      message satisfies never
  }
})

port.postMessage(null) // booted: see lib/process/warm-threads.ts

let isPosted: (() => boolean) | undefined

/** What every process needs, and a warm thread does ahead. */
function prepare(): void {
  if (isPosted) return
  registerThread() // For a parent that blocks and can start no reaper.
  const { control, output } = equipment
  ;({ isPosted } = postOutput(output, () => notifyAll(control, ENDED))) // A parent that blocks in joinSync writes it.
}

let preload: NodeJS.Timeout | undefined
let preloading: Promise<unknown> | undefined

/** There is no start message yet: load what most targets need, and run what every process runs. */
function becomeWarm(): void {
  prepare()
  const rehearsal = loadTarget({ kind: 'source', name: '', source: '() => {}', form: 'expression' })
  // The module, not only what is behind it: Node's loader compiles as it goes, too.
  preloading = Promise.allSettled([inheritLoader(), rehearsal, import(new URL('./index.js', import.meta.url).href)])
}

async function runProcess({ identity, target, args, changed }: ProcessMessage & { kind: 'start' }): Promise<void> {
  clearTimeout(preload)
  await preloading // A CommonJS module cannot require a module that is half imported.
  const { control, mailbox } = equipment
  if (!claimStart(control)) return
  prepare()
  inherit(changed)
  becomeProcess(identity).watchCancellation(control, CANCEL_REQUESTED)
  process.once('exit', (code) => {
    // With another code, a handler of the program has handled the error and ended the thread: there is no error to report.
    // Not by the final code: an exit handler may change the code of an error that nobody handled.
    if (code !== UNCAUGHT && code !== HANDLER_FAILED) mailbox.postMessage(null)
  })
  onFinalExit((code, isLast) => {
    store(control, EXIT_CODE, code)
    store(control, EXIT_COMPLETE, isLast && isPosted!() ? 1 : 0)
    store(control, EXITING, 1) // publishes the two; pairs with load(EXITING) in the parent
  })
  process.on('uncaughtExceptionMonitor', (thrown) => {
    mailbox.postMessage(encodeFailure(thrown))
    // If a handler of the program saves the thread, this withdraws the error.
    if (process.listenerCount('uncaughtException') > 0) setImmediate(() => mailbox.postMessage(null)).unref()
    // Not: leave it to Node, which sends the error as well. A long or cyclic chain of causes overflows the parent's stack.
    else process.exit(UNCAUGHT)
  })
  try {
    if (args.handles) require('../lib/index.js') // registers the classes that shareable arguments need
    await runTarget(target, await loadTarget(target), unpack(args) as unknown[])
  } catch (thrown) {
    // In a turn of its own, where nothing catches it: it ends the thread as any uncaught error does.
    nextTick(() => {
      throw thrown instanceof ImportFailure ? thrown.reason : thrown
    })
  }
  port.unref()
}
