// Values of every kind, by V8's own serializer. Not `v8.serialize`: that makes host objects of typed arrays, which loses that two
// of them are on one buffer, and that a Buffer is cloned to a Uint8Array.
import { Deserializer, Serializer } from 'node:v8'
import { DataCloneError } from '../../errors.js'
import { explainCloneFailure, findWithin, isTooDeep, maySend, unreadable } from '../clone-error.js'
import { isShareable } from '../shareable.js'

/** What Node's types leave out. */
declare const WebAssembly: { readonly Module: Function }

class ValueSerializer extends Serializer {
  /** What is Node's (a KeyObject, a Blob) and is no bytes: V8 asks. */
  hostObject: object | undefined

  _writeHostObject(object: object): never {
    this.hostObject = object
    throw new TypeError('not to be had as bytes')
  }
}

/** @throws DataCloneError */
export function encodeAny(value: unknown, root: string): Uint8Array {
  const serializer = new ValueSerializer()
  try {
    refuse(value, root, isNoBytes, (name) => (name === 'Module' ? 'a WebAssembly.Module' : `a shareable (${name})`))
    serializer.writeHeader()
    serializer.writeValue(value)
    return serializer.releaseBuffer()
  } catch (failure) {
    if (failure instanceof DataCloneError) throw failure
    if (!isTooDeep(failure)) {
      refuse(value, root, isSharedMemory, (name) => `a ${name} on shared memory`)
      refuse(
        value,
        root,
        (inner) => inner === serializer.hostObject && maySend(inner),
        (name) => (name ? `a ${name}` : 'a native object'),
      )
    }
    throw explainCloneFailure(failure, value, root)
  }
}

/** @throws DataCloneError */
export function decodeAny(bytes: Uint8Array): unknown {
  try {
    const deserializer = new Deserializer(bytes)
    deserializer.readHeader()
    return deserializer.readValue()
  } catch (failure) {
    throw unreadable(failure)
  }
}

/** What V8 would take, but not write. Of a module it writes nothing at all: what comes after it would be read in its place. */
function isNoBytes(value: object): boolean {
  return isShareable(value) || value instanceof WebAssembly.Module
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
