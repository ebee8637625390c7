// Which class of queue an object arrives as, and what memory it is made of.
import { fromParts } from '../base/parts.js'
import { registerShareable } from '../transport/shareable.js'

/** The memory of a queue, and that in which tasks are counted, if its messages are tasks. */
export type QueueParts = [memory: SharedArrayBuffer, tasks?: SharedArrayBuffer]

interface QueueKind {
  kind: string
  newTaskMemory: (() => SharedArrayBuffer) | undefined
}

const queueKinds = new Map<unknown, QueueKind>()

/**
 * Have instances of a class arrive as such, and so those of subclasses of it that are not registered.
 * @param newTaskMemory makes the memory in which its tasks are counted, if its messages are tasks
 */
export function registerQueue(
  kind: string,
  Kind: new (parts?: any) => object,
  newTaskMemory?: () => SharedArrayBuffer,
): void {
  queueKinds.set(Kind, { kind, newTaskMemory })
  registerShareable(kind, ([, , memory, tasks]) => {
    return new Kind(newTaskMemory ? fromParts(memory, tasks) : fromParts(memory))
  })
}

/** The kind of a class, or of the class that it extends. */
export function kindOf(Class: unknown): QueueKind {
  return queueKinds.get(Class) ?? kindOf(Object.getPrototypeOf(Class))
}
