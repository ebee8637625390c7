// In the parent of worker threads: what they write, on its way to this thread's own stdout and stderr. See output.ts.
//
// A thread's port needs an event loop. Where that does not turn, `writeNow` (a blocked parent) and `flush` (an exit) take what has
// come.
import { MessageChannel, receiveMessageOnPort, type MessagePort } from 'node:worker_threads'
import type { OutputMessage, OutputName, OutputReply } from './output.js'
import { canWriteNow, writeNow } from './write-now.js'

type Source = { message: OutputMessage; port: MessagePort }

/** Threads whose output may still come. */
const outputs = new Set<WorkerOutput>()

/** What one worker thread writes. */
export class WorkerOutput {
  /** For the thread: see postOutput. */
  readonly there: MessagePort
  readonly #port: MessagePort
  #isPortGone = false

  constructor() {
    const { port1, port2 } = new MessageChannel()
    this.there = port2
    this.#port = port1
    port1.once('close', () => (this.#isPortGone = true))
    port1.on('message', (message: OutputMessage) => outlets[message.name].take({ message, port: port1 })).unref()
    if (outputs.size === 0) process.on('exit', flushAll)
    outputs.add(this)
  }

  /**
   * Call back when the thread has ended, in whatever way, and all that it posted has been taken. Node closes the ports of a thread once its
   * JavaScript has stopped for good, a millisecond or two before it reports the exit.
   */
  onceThreadGone(callback: () => void): void {
    this.#port.once('close', callback)
  }

  /** Write what has come and is not written yet, whether or not this thread's stdout keeps up. */
  flush(): void {
    for (const outlet of Object.values(outlets)) outlet.flush()
    for (const source of this.#receiveAll()) outlets[source.message.name].write(source)
  }

  /**
   * For a blocked thread: write what has come, as far as the readers of this thread's stdout and stderr take it now. Call it again
   * until that is all, or end with `flush`. @returns whether it was all
   */
  writeNow(): boolean {
    const sources = this.#receiveAll()
    let isAll = true
    for (const [name, outlet] of Object.entries(outlets))
      if (!outlet.writeNow(sources.filter(({ message }) => message.name === name))) isAll = false
    return isAll
  }

  /** The thread has exited. */
  close(): void {
    if (!outputs.delete(this)) return
    if (outputs.size === 0) process.off('exit', flushAll)
    for (const source of this.#receiveAll()) outlets[source.message.name].take(source)
    this.#port.close()
  }

  #receiveAll(): Source[] {
    const sources: Source[] = []
    // Not: asking a port that is gone. It had nothing left, and within its 'close' event Node crashes.
    if (this.#isPortGone) return sources
    for (let received; (received = receiveMessageOnPort(this.#port));)
      sources.push({ message: received.message as OutputMessage, port: this.#port })
    return joined(sources)
  }
}

/** One chunk of text in place of several: a pipe takes some hundred small writes, or as many large ones. */
function joined(sources: readonly Source[]): Source[] {
  const result: Source[] = []
  for (const source of sources) {
    const last = result.at(-1)?.message
    const { message } = source
    if (isText(message) && last && isText(last) && last.name === message.name) last.chunk += message.chunk
    else result.push(source)
  }
  return result
}

function isText(message: OutputMessage): message is OutputMessage & { chunk: string } {
  return (
    message.kind === 'chunk' &&
    typeof message.chunk === 'string' &&
    (message.encoding === undefined || message.encoding === 'utf8')
  )
}

function flushAll(): void {
  for (const output of outputs) output.flush()
}

/** One of this thread's own streams. All threads write to it, and wait for it together when it is full. */
class Outlet {
  readonly #name: OutputName
  #waiting: Source[] = []
  /** While the stream is full: called when it has written the last chunk that it took, or never will. */
  #onWritten: (() => void) | undefined

  constructor(name: OutputName) {
    this.#name = name
  }

  take(source: Source): void {
    if (!this.#onWritten) return this.write(source)
    this.#waiting.push(source)
    if (source.message.kind === 'tell') reply(source, 'waits')
  }

  write(source: Source): void {
    if (source.message.kind === 'tell') return reply(source, 'taken')
    const { chunk, encoding } = source.message
    let isWritten = false
    const onWritten = () => {
      isWritten = true
      if (this.#onWritten === onWritten) this.#goOn()
    }
    // Not: a listener for 'drain', which would be one too many on a stream that has ten of them.
    const goesOn: unknown = process[this.#name].write(chunk, encoding, onWritten) // A program's own write may return nothing.
    if (goesOn === false && !isWritten) this.#onWritten = onWritten
  }

  /** @returns whether nothing is left */
  writeNow(sources: readonly Source[]): boolean {
    const waiting = this.#waiting
    this.#waiting = []
    for (const source of [...waiting, ...sources]) {
      if (this.#waiting.length === 0) this.#writeNow(source)
      else this.#waiting.push(source)
    }
    if (this.#waiting.length === 0) return true
    for (const source of sources) if (source.message.kind === 'tell') reply(source, 'waits')
    return false
  }

  #writeNow(source: Source): void {
    const { message, port } = source
    if (message.kind === 'tell' || !canWriteNow(this.#name)) return this.write(source)
    const { chunk, encoding } = message
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk
    const written = writeNow(this.#name, bytes)
    if (written === undefined) return this.write(source) // The stream tells the program why.
    if (written < bytes.length) this.#waiting.push({ message: { ...message, chunk: bytes.subarray(written) }, port })
  }

  #goOn(): void {
    this.#onWritten = undefined
    const waiting = this.#waiting
    this.#waiting = []
    for (const source of waiting) this.take(source)
  }

  /** Write what waits, although the stream is full. */
  flush(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const source of joined(waiting)) this.write(source)
  }
}

const outlets: Record<OutputName, Outlet> = { stdout: new Outlet('stdout'), stderr: new Outlet('stderr') }

function reply({ message, port }: Source, kind: OutputReply['kind']): void {
  port.postMessage({ kind, name: message.name } satisfies OutputReply)
}
