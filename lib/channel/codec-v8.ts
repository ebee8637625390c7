// Values of every kind, by V8's own serializer. Not `v8.serialize`: that makes host objects of typed arrays, which loses that two
// of them are on one buffer, and that a Buffer is cloned to a Uint8Array.
import { Deserializer, Serializer } from 'node:v8'
import { DataCloneError } from '../errors.js'
import { explainCloneFailure, findWithin } from '../memory/clone.js'
import { isShareable } from '../memory/handles.js'

/** @throws DataCloneError */
export function encodeAny(value: unknown, root: string): Uint8Array {
  refuse(value, root, isShareable, (name) => `a shareable (${name})`)
  try {
    const serializer = new Serializer()
    serializer.writeHeader()
    serializer.writeValue(value)
    return serializer.releaseBuffer()
  } catch (failure) {
    refuse(value, root, isSharedMemory, (name) => `a ${name} on shared memory`)
    throw explainCloneFailure(failure, value, root)
  }
}

export function decodeAny(bytes: Uint8Array): unknown {
  const deserializer = new Deserializer(bytes)
  deserializer.readHeader()
  return deserializer.readValue()
}

function isSharedMemory(value: object): boolean {
  return value instanceof SharedArrayBuffer || (ArrayBuffer.isView(value) && value.buffer instanceof SharedArrayBuffer)
}

function refuse(value: unknown, root: string, test: (value: object) => boolean, what: (name: string) => string): void {
  const found = findWithin(value, root, test)
  if (!found) return
  const { path } = found
  // The proxies of a manager have none.
  const { name = 'Remote' } = (found.value as { constructor?: { name?: string } }).constructor ?? {}
  throw new DataCloneError(
    `${path} is ${what(name)}, which cannot go through a Queue: its messages are bytes, and outlive their sender. ` +
      `Pass it as an argument of the Process or task, or through a Connection`,
    { path },
  )
}
