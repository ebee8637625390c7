// What goes through the port of a Pipe: a value as it is, or packed, where there are shareable objects in it.
import type { Transferable } from 'node:worker_threads'
import { explainCloneFailure, isTooDeep, unreadable } from '../transport/clone-error.js'
import { pack, unpack, type Packed } from '../transport/shareable.js'

/** What was packed is told by this from what is sent as it is. */
const PACKED = '$manyhands:packed'

/**
 * The message for an object.
 * @param moved what is moved with it: added to, by what the shareable objects in it need
 * @throws DataCloneError it is nested too deeply; Error one of them cannot be sent
 */
export function wrap(value: object, moved: Transferable[]): unknown {
  const packed = packOrExplain(value, moved)
  const ambiguous = Array.isArray(value) && value[0] === PACKED
  return packed.handles || ambiguous ? [PACKED, packed] : value
}

function packOrExplain(value: object, moved: Transferable[]): Packed {
  try {
    return pack(value, moved)
  } catch (failure) {
    throw isTooDeep(failure) ? explainCloneFailure(failure, value, 'value') : failure
  }
}

/** What was sent. @throws DataCloneError the message stands in the place of one that cannot be read */
export function unwrap(message: unknown): unknown {
  const packed = packedIn(message)
  return packed ? unpack(packed) : message
}

/** What was sent, to be shown: nothing is rebuilt. @throws as `unwrap` */
export function contentOf(message: unknown): unknown {
  const packed = packedIn(message)
  return packed ? packed.value : message
}

/** Stands in the place of a message that cannot be read. Also when its end moves on before anybody asks for it. */
export const inPlaceOfUnreadable = (failure: unknown): unknown => [PACKED, { failure }]

function packedIn(message: unknown): Packed | undefined {
  if (!Array.isArray(message) || message[0] !== PACKED) return undefined
  const packed = message[1] as Packed | { failure: unknown }
  if ('failure' in packed) throw unreadable(packed.failure)
  return packed
}
