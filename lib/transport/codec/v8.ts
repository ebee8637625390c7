// Values of any kind, by V8's own serializer. Not `v8.serialize`: it writes typed arrays as host objects, which loses that two of
// them are on one buffer, and that structured clone makes a Uint8Array of a Buffer.
import { types } from 'node:util'
import { Deserializer, Serializer } from 'node:v8'
import { brandOf } from '../../base/brands.js'
import { DataCloneError } from '../../errors.js'
import { explainCloneFailure, findWithin, isTooDeep, maySend, unreadable } from '../clone-error.js'
import { isShareable } from '../shareable.js'

class ValueSerializer extends Serializer {
  /** The object of Node's (a KeyObject, a Blob) that V8 asked to have written, and that has no form as bytes. */
  hostObject: object | undefined

  _writeHostObject(object: object): never {
    this.hostObject = object
    throw new TypeError('a native object has no form as bytes')
  }
}

/** @throws DataCloneError (ERR_MANYHANDS_DATA_CLONE) the value cannot be cloned, or has no form as bytes */
export function encodeAny(value: unknown, root: string): Uint8Array {
  const serializer = new ValueSerializer()
  try {
    refuseWithin(value, root, hasNoBytes, (name) =>
      name === 'Module' ? 'a WebAssembly.Module' : `a shareable (${name})`,
    )
    serializer.writeHeader()
    serializer.writeValue(value)
    return serializer.releaseBuffer()
  } catch (failure) {
    if (failure instanceof DataCloneError) throw failure
    if (!isTooDeep(failure)) {
      refuseWithin(value, root, isSharedMemory, (name) => `a ${name} on shared memory`)
      refuseWithin(
        value,
        root,
        (inner) => inner === serializer.hostObject && maySend(inner),
        (name) => (name ? `a ${name}` : 'a native object'),
      )
    }
    throw explainCloneFailure(failure, value, root)
  }
}

/** @throws DataCloneError (ERR_MANYHANDS_DATA_CLONE) V8 cannot read it in this thread */
export function decodeAny(bytes: Uint8Array): unknown {
  try {
    const deserializer = new Deserializer(bytes)
    deserializer.readHeader()
    return deserializer.readValue()
  } catch (failure) {
    throw unreadable(failure)
  }
}

/** Values that V8 accepts but does not write. Of a module it writes nothing at all: what follows would be read in its place. */
function hasNoBytes(value: object): boolean {
  return isShareable(value) || brandOf(value) === 'WebAssembly.Module'
}

function isSharedMemory(value: object): boolean {
  return types.isSharedArrayBuffer(ArrayBuffer.isView(value) ? value.buffer : value)
}

/** Throw if something at any depth of the value passes the test. @param describe what the error calls it, by the name of its class */
function refuseWithin(
  value: unknown,
  root: string,
  test: (value: object) => boolean,
  describe: (name: string) => string,
): void {
  const found = findWithin(value, root, test)
  if (!found) return
  const { path } = found
  // A manager's proxy has no constructor.
  const { name = 'Remote' } = (found.value as { constructor?: { name?: string } }).constructor ?? {}
  throw new DataCloneError(
    `${path} is ${describe(name)}, which cannot go through a Queue: its messages are bytes, and outlive their sender. ` +
      `Pass it as an argument of the Process or task, or through a Connection`,
    { path },
  )
}
