// Pipe: two connected ends, after Python's multiprocessing.Pipe.
import { inspect } from 'node:util'
import { MessageChannel } from 'node:worker_threads'
import { Connection, newConnection } from './connection.js'
import { newWords } from './pipe-end.js'

export interface PipeOptions {
  /** Whether both ends send and receive. With false, the first end only receives and the second only sends. @default true */
  duplex?: boolean | undefined
}

/**
 * Two ends of a new pipe: what one sends, the other receives, in order.
 * @returns with `duplex: false`: `[reader, writer]`
 * @throws TypeError options that are not what they should be.
 */
export function Pipe<T = any>(options: PipeOptions = {}): [Connection<T>, Connection<T>] {
  if (typeof options !== 'object' || options === null)
    throw new TypeError(`Pipe takes { duplex: true or false }, not ${inspect(options)}`)
  const { duplex = true } = options
  if (typeof duplex !== 'boolean') throw new TypeError(`duplex must be true or false, not ${inspect(duplex)}`)
  const words = newWords()
  const { port1, port2 } = new MessageChannel()
  return [
    newConnection(words, 0, duplex ? 'both' : 'reads', port1),
    newConnection(words, 1, duplex ? 'both' : 'writes', port2),
  ]
}
