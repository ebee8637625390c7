// Calls of all kinds to managed objects, which make and drop proxies, callbacks and iterations. Checks that the memory of the
// caller's thread and of the manager's is in the end what it was after the warm-up. The dropped objects are heavy, so that a leak
// shows.
import { Manager, type Remote, type RemoteDict } from 'manyhands'
import { setImmediate as turn } from 'node:timers/promises'
import { Account, collect, Heap } from '../manager/manager.tasks.js'

/** Items of a dropped object: 8 KB. */
const HEAVY_ITEMS = 1000

/** Calls that are pending at a time. */
const PENDING_CALLS = 500

/** Maximum collections until memory has shrunk to the allowed size. Finalizers run between them. */
const MAX_COLLECTIONS = 200

export interface ManagerStorm {
  calls: number
  /** Proxies that were made and dropped. */
  proxies: number
  /** Growth of the two threads since the warm-up: bytes of heap and external memory. */
  callerGrowth: number
  managerGrowth: number
}

interface Stage {
  manager: Manager
  dict: RemoteDict<string, any>
  account: Remote<Account>
}

/** One of ten kinds of call. Resolves to the number of calls made. */
async function call({ manager, dict, account }: Stage, n: number): Promise<number> {
  switch (n % 50) {
    case 0: {
      const list = manager.list(Array<number>(HEAVY_ITEMS).fill(n))
      await list.push(n)
      return 1
    }
    case 10: {
      // Only the manager keeps it, until the next one replaces it.
      await dict.set('inner', manager.list(Array<number>(HEAVY_ITEMS).fill(n)))
      return 1
    }
    case 20: {
      const inner = await dict.get('inner')
      if (inner) await inner.length
      return 2
    }
    case 30: {
      const heavy = Array<number>(HEAVY_ITEMS).fill(n)
      await account.each((i) => heavy[i])
      return 1
    }
    case 40: {
      for await (const item of manager.list(heavyItems(n))) if (item.length > 0) break
      return 1
    }
    case 45: {
      await account.fail().catch(() => {})
      return 1
    }
    default:
      if (n % 3 === 0) await dict.set('deep', { n, more: [n] })
      else if (n % 3 === 1) await dict.get('deep')
      else await account.deposit(1)
      return 1
  }
}

/** More than one page, so that leaving the loop leaves an iterator behind. */
const heavyItems = (n: number) => Array.from({ length: 300 }, () => [n])

/** Make that many calls, after a tenth of them, and at least 5000, to warm up. */
export async function managerStorm(calls: number, allowed: number): Promise<ManagerStorm> {
  const manager = await Manager.start()
  const stage = { manager, dict: manager.dict<string, any>(), account: manager.create(Account, 0) }
  const heap = manager.create(Heap)
  let made = 0
  let begun = 0
  const make = async (upTo: number) => {
    while (made < upTo) {
      const counts = await Promise.all(Array.from({ length: PENDING_CALLS }, () => call(stage, begun++)))
      for (const count of counts) made += count
    }
  }
  const measure = async (enough: (caller: number, manager: number) => boolean) => {
    for (let i = 1; ; i++) {
      collect()
      await turn()
      const managers = await heap.used()
      const { heapUsed, external } = process.memoryUsage()
      if (i >= MAX_COLLECTIONS || (i >= 10 && enough(heapUsed + external, managers)))
        return [heapUsed + external, managers]
    }
  }
  const warmUp = Math.max(calls / 10, 5000)
  await make(warmUp)
  const [caller, managers] = (await measure(() => true)) as [number, number]
  await make(warmUp + calls)
  const after = await measure((c, m) => c - caller < allowed && m - managers < allowed)
  await manager.shutdown()
  return {
    calls: made,
    proxies: Math.floor((begun / 50) * 3),
    callerGrowth: after[0]! - caller,
    managerGrowth: after[1]! - managers,
  }
}
