// Pipe: two connected ends, after Python's multiprocessing.Pipe.
import { MessageChannel } from 'node:worker_threads'
import { checkFlag, checkOptions } from '../base/validate.js'
import { newConnection, type Connection } from './connection.js'
import { newPipeMemory } from './pipe-end.js'

export interface PipeOptions {
  /** Whether both ends send and receive. With false, the first end only receives and the second only sends. @default true */
  duplex?: boolean | undefined
}

/**
 * Two ends of a new pipe: what one sends, the other receives, in order. After Python's multiprocessing.Pipe.
 * @returns with `duplex: false`: `[reader, writer]`
 * @throws TypeError bad options
 */
export function Pipe<T = any>(options: PipeOptions = {}): [Connection<T>, Connection<T>] {
  checkOptions(options, 'the options of Pipe', ['duplex'])
  const { duplex = true } = options
  checkFlag(duplex, 'duplex')
  const memory = newPipeMemory()
  const { port1, port2 } = new MessageChannel()
  return [
    newConnection(memory, 0, duplex ? 'both' : 'reads', port1, []),
    newConnection(memory, 1, duplex ? 'both' : 'writes', port2, []),
  ]
}
