// Tasks that tell which async context they find, and change it for those after them.
import { task, type Task } from 'manyhands'
import { AsyncLocalStorage } from 'node:async_hooks'

export const tenant: AsyncLocalStorage<unknown> = new AsyncLocalStorage()

/** What the caller finds; enters `id` then. */
function swap(id: unknown): unknown {
  const found = tenant.getStore()
  tenant.enterWith(id)
  return found ?? 'nothing'
}

export const enter: Task<[id: unknown]> = task(import.meta.url, function enter(id: unknown) {
  return swap(id)
})

export const enterAsync: Task<[id: unknown]> = task(import.meta.url, async function enterAsync(id: unknown) {
  const before = swap(id)
  await new Promise((resolve) => setImmediate(resolve))
  return `${String(before)}, then ${String(tenant.getStore())}`
})

export const enterAndThrow: Task<[id: unknown]> = task(import.meta.url, function enterAndThrow(id: unknown) {
  throw new Error(String(swap(id)))
})

export const runInside: Task<[id: unknown]> = task(import.meta.url, function runInside(id: unknown) {
  return tenant.run(id, () => tenant.getStore())
})

export const look: Task<[]> = task(import.meta.url, function look() {
  return tenant.getStore() ?? 'nothing'
})

export const enterBlock: Task<[start: number, end: number]> = task(import.meta.url, function enterBlock(start: number) {
  return [swap(start)]
})

export const enterBlockAsync: Task<[start: number, end: number]> = task(
  import.meta.url,
  async function enterBlockAsync(start: number) {
    const found = swap(start)
    await Promise.resolve()
    return [found]
  },
)

export class Account {
  enter(id: unknown): unknown {
    return swap(id)
  }
  async enterAsync(id: unknown): Promise<unknown> {
    const found = swap(id)
    await Promise.resolve()
    return found
  }
  look(): unknown {
    return tenant.getStore() ?? 'nothing'
  }
  async callBack(fn: () => unknown): Promise<void> {
    await fn()
  }
}

task(import.meta.url, Account)
