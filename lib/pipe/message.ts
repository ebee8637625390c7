// What goes through the port of a Pipe: a value as it is, or packed where there are shareable objects in it.
import type { Transferable } from 'node:worker_threads'
import { explainCloneFailure, isTooDeep, unreadable } from '../transport/clone-error.js'
import { pack, unpack, type Packed } from '../transport/pack.js'

/** Tells a packed message from one that was sent as it is. */
const PACKED = '$manyhands:packed'

/**
 * The message for an object.
 * @param moved the transfer list; the ports that shareable objects need are added
 * @throws DataCloneError the object is nested too deeply; what the `onSend` of a shareable object throws
 */
export function encodeMessage(value: object, moved: Transferable[]): unknown {
  const packed = packOrExplain(value, moved)
  const isAmbiguous = Array.isArray(value) && value[0] === PACKED
  return packed.handles || isAmbiguous ? [PACKED, packed] : value
}

function packOrExplain(value: object, moved: Transferable[]): Packed {
  try {
    return pack(value, moved)
  } catch (failure) {
    throw isTooDeep(failure) ? explainCloneFailure(failure, value, 'value') : failure
  }
}

/** What was sent. @throws DataCloneError the message stands in for one that cannot be read */
export function decodeMessage(message: unknown): unknown {
  const packed = packedFrom(message)
  return packed ? unpack(packed) : message
}

/** What was sent, for an error to show: nothing is rebuilt. @throws as `decodeMessage` */
export function contentOf(message: unknown): unknown {
  const packed = packedFrom(message)
  return packed ? packed.value : message
}

/** Stands in for a message that cannot be read here. It can be sent on with its end, before anybody receives it. */
export const unreadableMessage = (failure: unknown): unknown => [PACKED, { failure }]

function packedFrom(message: unknown): Packed | undefined {
  if (!Array.isArray(message) || message[0] !== PACKED) return undefined
  const packed = message[1] as Packed | { failure: unknown }
  if ('failure' in packed) throw unreadable(packed.failure)
  return packed
}
