// Classes and tasks for the specs of managers.
import { currentProcess, task, type Remote, type RemoteDict, type RemoteList, type Task } from 'manyhands'
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

/** How much memory the manager uses, of its heap and beside it. */
export class Heap {
  used(): number {
    collect()
    const { heapUsed, external } = process.memoryUsage()
    return heapUsed + external
  }
}
task(import.meta.url, Heap)

/** End with the proxy in hand. */
export const dropNothing: Task<[RemoteList<number>]> = task(import.meta.url, async function dropNothing(list) {
  await list.length
  process.exit(0)
})
