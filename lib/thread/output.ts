// In a worker thread: what it writes to stdout and stderr goes to its parent by a port of ours, each chunk as it is written.
//
// Node's own way posts one chunk and keeps later ones until the parent has taken the first. A thread that then computes would sit
// on them, one that is terminated would lose them, and one whose parent blocks (joinSync) could not end.
//
//   FREE ──MAX_UNTAKEN bytes are under way: 'tell' is posted──> FULL ──the parent has taken them: 'taken'──> FREE
//
// While FULL, write() returns false, callbacks wait, and 'drain' comes at the end, as with any stream; a writer that does not
// look still loses nothing. A parent that is blocked, or busy, takes nothing: after BUSY_LIMIT_MS its thread is FREE again, unless
// the parent has said that it waits for its own stdout to drain.
import { types } from 'node:util'
import type { MessagePort } from 'node:worker_threads'
import type { Writable } from 'node:stream'
import { clearTimeout, setTimeout } from '../base/clock.js'

export type OutputName = 'stdout' | 'stderr'

/** To the parent: a chunk, or (`tell`) the wish to know when all before it is taken. */
export type OutputMessage =
  | { kind: 'chunk'; name: OutputName; chunk: string | Uint8Array; encoding: BufferEncoding | undefined }
  | { kind: 'tell'; name: OutputName }

/** To the thread: what it has asked for, or that this takes as long as the parent's own stdout takes. */
export type OutputReply = { kind: 'taken' | 'waits'; name: OutputName }

/** How much of one stream may be under way. Streams of files and sockets keep as much as one chunk, 64 KiB. */
const MAX_UNTAKEN_BYTES = 1 << 20
const BUSY_LIMIT_MS = 1000

type Callback = (error?: Error | null) => void

/**
 * Post what this thread writes from now on.
 * @param onPosted called after each message
 * @returns whether all that was written is posted, also what was written before, which went Node's way
 */
export function postOutput(port: MessagePort, onPosted: () => void = () => {}): { isPosted: () => boolean } {
  const { stdout, stderr } = process
  const senders = {
    stdout: new OutputSender('stdout', stdout, port, onPosted),
    stderr: new OutputSender('stderr', stderr, port, onPosted),
  }
  port.on('message', ({ kind, name }: OutputReply) => {
    if (kind === 'taken') senders[name].becomeFree()
    else senders[name].waitOn()
  })
  port.unref()
  return { isPosted: () => stdout.writableLength === 0 && stderr.writableLength === 0 }
}

class OutputSender {
  readonly #name: OutputName
  readonly #port: MessagePort
  readonly #onPosted: () => void
  /** Since the last 'tell'. */
  #postedBytes = 0
  /** While FULL: what the stream waits for. */
  #done: Callback | undefined
  #callbacks: Callback[] = []
  #busyTimer: NodeJS.Timeout | undefined

  constructor(name: OutputName, stream: Writable, port: MessagePort, onPosted: () => void) {
    this.#name = name
    this.#port = port
    this.#onPosted = onPosted
    stream._writev = (chunks, done) => {
      for (const { chunk, encoding } of chunks) this.#post(chunk as string | Uint8Array, encoding)
      if (this.#postedBytes < MAX_UNTAKEN_BYTES) done()
      else this.#becomeFull(done)
    }
    const write = stream.write.bind(stream) as (...args: unknown[]) => boolean
    stream.write = (chunk: unknown, ...rest: unknown[]): boolean => {
      const callback = typeof rest.at(-1) === 'function' ? (rest.pop() as Callback) : undefined
      if (!this.#done || !isWritable(stream, chunk, rest[0]))
        return write(chunk, ...rest, ...(callback ? [callback] : []))
      // The stream would keep it, since its last write is not done.
      this.#post(chunk as string | Uint8Array, rest[0] as BufferEncoding | undefined)
      if (callback) this.#callbacks.push(callback)
      const { _writableState: state } = stream as unknown as { _writableState: { needDrain: boolean } }
      state.needDrain = true
      return false
    }
  }

  #post(chunk: string | Uint8Array, encoding: BufferEncoding | undefined): void {
    this.#postedBytes += chunk.length
    // A view would be cloned with all of its buffer.
    const copy = typeof chunk === 'string' ? chunk : new Uint8Array(chunk)
    const message: OutputMessage = { kind: 'chunk', name: this.#name, chunk: copy, encoding }
    this.#port.postMessage(message, typeof copy === 'string' ? [] : [copy.buffer])
    this.#onPosted()
  }

  #becomeFull(done: Callback): void {
    this.#done = done
    this.#postedBytes = 0
    this.#port.postMessage({ kind: 'tell', name: this.#name } satisfies OutputMessage)
    this.#onPosted()
    this.#busyTimer = setTimeout(() => this.becomeFree(), BUSY_LIMIT_MS) // Holds the thread: somebody may wait for 'drain'.
  }

  /** The parent waits for its reader, which may take as long as it likes. */
  waitOn(): void {
    if (!this.#done) return
    clearTimeout(this.#busyTimer)
    this.#busyTimer = undefined
    this.#port.ref()
  }

  becomeFree(): void {
    const done = this.#done
    if (!done) return
    clearTimeout(this.#busyTimer)
    this.#port.unref()
    this.#done = undefined
    const callbacks = this.#callbacks
    this.#callbacks = []
    done()
    for (const callback of callbacks) callback()
  }
}

/** Whether the stream would take it: what it refuses is left to it. */
function isWritable(stream: Writable, chunk: unknown, encoding: unknown): boolean {
  if (stream.writableEnded || stream.destroyed) return false
  if (typeof chunk === 'string') return encoding === undefined || Buffer.isEncoding(encoding as string)
  return types.isUint8Array(chunk)
}
