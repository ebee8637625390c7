// Reference counts: which port holds how many references to which object, and when an object is freed. In the manager's thread.
//
// A port has a reference for each time that a proxy was sent through it, or along with it. A thread uses one port; another that
// arrives with a proxy is merged into that one.
//
//   a port                   its references
//   is opened                the object whose proxy it travels with: nobody can free the object before it arrives
//   hello(thread)            stay: it is the thread's port. Those of ports that were merged too early are added
//   mergeRefs(thread)        go to the thread's port. If its hello has not been read yet, they wait for that;
//                            if the thread has ended, they stay, and end with this port
//   closes                   are released, unless they wait for a hello
//
// An object without references is freed.
//
// Ports are not read in the order of sending. A thread may give back a reference before the manager has read the notice that
// counts it: the count of its port is negative, a debt, until that reference is merged into it. Debts count as 0 in the sum of
// all ports. Not: subtract them there. The sum could be 0 while the sender, which still has a proxy, uses the object; its own
// reference cannot be given back before that notice, which went through the same port.

interface Counted {
  /** The positive counts of all ports together. */
  refs: number
}

/** The references of one port. */
export interface PortRefs {
  counts: Map<number, number>
  /** Known since the thread's hello. */
  threadId: number | undefined
  /** It has been merged before the hello of its thread was read, which takes the references over. */
  early: boolean
}

export class RefCounts {
  /** Objects by id. */
  readonly #objects: Map<number, Counted>
  /** Ports of the threads that have said hello and have not ended. */
  readonly #ports = new Map<number, PortRefs>()
  readonly #endedThreads = new Set<number>()
  /** Merged ports, by the thread whose hello they wait for. */
  readonly #earlyPorts = new Map<number, PortRefs[]>()

  /** @param objects an object is deleted from it when it has no references */
  constructor(objects: Map<number, Counted>) {
    this.#objects = objects
  }

  openPort(): PortRefs {
    return { counts: new Map(), threadId: undefined, early: false }
  }

  /** A proxy of the object is sent through the port, or along with it. */
  addRef(port: PortRefs, object: number): void {
    this.#change(port, object, 1)
  }

  /** The thread gives back `count` references: a proxy has been collected. */
  release(port: PortRefs, object: number, count: number): void {
    this.#change(port, object, -count)
  }

  #change({ counts }: PortRefs, object: number, by: number): void {
    const counted = this.#objects.get(object)
    if (!counted) return
    const before = counts.get(object) ?? 0
    const after = before + by
    if (after === 0) counts.delete(object)
    else counts.set(object, after)
    counted.refs += Math.max(after, 0) - Math.max(before, 0)
    if (by < 0 && counted.refs === 0) this.#objects.delete(object)
  }

  /** From now on the thread uses this port. */
  hello(port: PortRefs, threadId: number): void {
    port.threadId = threadId
    this.#ports.set(threadId, port)
    for (const early of this.#earlyPorts.get(threadId) ?? []) this.#move(early, port)
    this.#earlyPorts.delete(threadId)
  }

  /** The thread does not use this port, and closes it. */
  mergeRefs(port: PortRefs, threadId: number): void {
    const used = this.#ports.get(threadId)
    if (used) return this.#move(port, used)
    if (this.#endedThreads.has(threadId)) return
    // The hello was sent before, but through another port: the order in which ports are read is not the order of sending.
    port.early = true
    this.#earlyPorts.set(threadId, [...(this.#earlyPorts.get(threadId) ?? []), port])
  }

  closed(port: PortRefs): void {
    if (!port.early) for (const [object, count] of port.counts) this.release(port, object, count)
    const { threadId } = port
    if (threadId !== undefined && this.#ports.delete(threadId)) this.#endedThreads.add(threadId)
  }

  #move(from: PortRefs, to: PortRefs): void {
    for (const [object, count] of from.counts) {
      this.#change(to, object, count)
      this.#change(from, object, -count)
    }
  }
}
