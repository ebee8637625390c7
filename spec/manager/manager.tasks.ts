// Classes and tasks for the specs of managers.
import {
  currentProcess,
  Manager,
  task,
  type Connection,
  type Remote,
  type RemoteDict,
  type RemoteList,
  type Task,
} from 'manyhands'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

export class Account {
  balance: number
  constructor(balance: number) {
    if (balance < 0) throw new RangeError(`a balance of ${balance}`)
    this.balance = balance
  }
  deposit(amount: number): this {
    this.balance += amount
    return this
  }
  where(): string {
    return currentProcess().name
  }
  fail(): never {
    throw Object.assign(new RangeError('overdrawn', { cause: new TypeError('why') }), { code: 'E_OVERDRAWN' })
  }
  never(): Promise<never> {
    return new Promise(() => {})
  }
  async each(fn: (n: number) => unknown): Promise<unknown[]> {
    return [await fn(1), await fn(2)]
  }
  die(): never {
    process.exit(3)
  }
}
task(import.meta.url, Account)

export const addMany: Task<[RemoteDict<string, number>, number]> = task(
  import.meta.url,
  async function addMany(dict, times) {
    for (let i = 0; i < times; i++) await dict.update('n', (n: number) => n + 1)
  },
)

export const pushDeep: Task<[{ deep: Map<string, RemoteList<string>[]> }]> = task(
  import.meta.url,
  async function pushDeep({ deep }) {
    await deep.get('k')![0]!.push(currentProcess().name)
  },
)

export const returnIt: Task<[Remote<Account>], Remote<Account>> = task(
  import.meta.url,
  async function returnIt(account) {
    await account.deposit(1)
    return account
  },
)

export const callThenDie: Task<[RemoteList<number>]> = task(import.meta.url, async function callThenDie(list) {
  await list.push(1)
  void list.push(2)
  process.exit(0)
})

/** Collect this thread's garbage. */
export function collect(): void {
  setFlagsFromString('--expose-gc')
  ;(runInNewContext('gc') as () => void)()
}

/** The memory of the manager's thread: bytes of heap and external memory. */
export class Heap {
  used(): number {
    collect()
    const { heapUsed, external } = process.memoryUsage()
    return heapUsed + external
  }
  /** Block the manager, from when the first word is 1 until the second is. */
  block(words: Int32Array): void {
    Atomics.store(words, 0, 1)
    Atomics.wait(words, 1, 0)
  }
  nest(depth: number): unknown {
    let value: unknown = null
    for (let i = 0; i < depth; i++) value = new Map([[1, value]])
    return value
  }
}
task(import.meta.url, Heap)

/** Exit without dropping the proxy. */
export const dropNothing: Task<[RemoteList<number>]> = task(import.meta.url, async function dropNothing(list) {
  await list.length
  process.exit(0)
})

/** Keeps functions, and proxies of other managers. */
export class Keeper {
  #kept: ((n: number) => unknown) | undefined
  #stored: Remote<Account> | undefined
  #failed = ''
  callOnce(fn: (n: number) => unknown, n: number): unknown {
    return fn(n)
  }
  keep(fn: ((n: number) => unknown) | undefined): void {
    this.#kept = fn
  }
  callKept(n: number): unknown {
    return this.#kept!(n)
  }
  /** Keeps only the error. */
  async callAndNote(fn: () => unknown): Promise<void> {
    try {
      await fn()
    } catch (thrown) {
      this.#failed = String(thrown)
    }
  }
  async failure(): Promise<string> {
    while (this.#failed === '') await new Promise((resolve) => setTimeout(resolve, 2))
    return this.#failed
  }
  store(account: Remote<Account>): void {
    this.#stored = account
  }
  stored(): Remote<Account> | undefined {
    return this.#stored
  }
  async depositFromThere(amount: number): Promise<{ here: string; there: string }> {
    await this.#stored!.deposit(amount)
    return { here: currentProcess().name, there: await this.#stored!.where() }
  }
  collect(): void {
    collect()
  }
}
task(import.meta.url, Keeper)

/** Throws where nobody waits for an answer. */
export class Fragile {
  set field(value: number) {
    throw new RangeError(`no field for ${value}`)
  }
  *[Symbol.iterator](): Generator<number> {
    try {
      for (let i = 0; ; i++) yield i
    } finally {
      // oxlint-disable-next-line no-unsafe-finally
      throw new RangeError('no end')
    }
  }
}
task(import.meta.url, Fragile)

/** Give the object a function, and exit: at once, or while the function is being called. */
export const giveAndEnd: Task<[Remote<Keeper>, boolean?]> = task(
  import.meta.url,
  async function giveAndEnd(keeper, whileCalled) {
    if (whileCalled) await keeper.callAndNote(() => process.exit(0))
    else await keeper.keep((n) => n)
    process.exit(0)
  },
)

export const slowly: Task<[number, number], number> = task(
  import.meta.url,
  async function slowly(n: number, more: number) {
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
    return n + more
  },
)

export const updateThenDie: Task<[RemoteDict<string, number>]> = task(
  import.meta.url,
  async function updateThenDie(dict) {
    await dict.size
    void dict.update('n', slowly, 1)
    process.exit(0)
  },
)

export const managerInProcess: Task<[Connection]> = task(import.meta.url, async function managerInProcess(connection) {
  await using manager = await Manager.start()
  const list = manager.list([`in ${currentProcess().name}`])
  connection.send(list)
  while ((await list.length) < 2) await new Promise((resolve) => setTimeout(resolve, 2))
  connection.send(await list.length)
  await connection.recv()
})

export const managerInTask: Task<[], RemoteList<number>> = task(import.meta.url, async function managerInTask() {
  return (await Manager.start()).list([1])
})

export const answerThroughPipe: Task<[Connection]> = task(
  import.meta.url,
  async function answerThroughPipe(connection) {
    const {
      deep: [list],
    } = (await connection.recv()) as { deep: [RemoteList<string>] }
    await list.push('through the pipe')
    await using manager = await Manager.start()
    connection.send({ again: list, other: manager.list(['made there']) })
    await connection.recv()
  },
)

export const holdAndWait: Task<[Connection]> = task(import.meta.url, async function holdAndWait(connection) {
  const list = (await connection.recv()) as RemoteList<number>
  connection.send(await list.length)
  await connection.recv()
  await list.length
})

/** Send the proxy that was received, and use it, each when asked to. */
export const sendBack: Task<[Connection]> = task(import.meta.url, async function sendBack(connection) {
  const list = (await connection.recv()) as RemoteList<number>
  connection.send(await list.length)
  await connection.recv()
  connection.send(list)
  await connection.recv()
  connection.send(await list.length)
})
