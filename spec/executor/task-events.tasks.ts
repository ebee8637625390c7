import { task, type Task } from 'manyhands'

export const exitReport: Task<[n: number], void> = task(import.meta.url, function exitReport(_n: number): void {
  process.exit(3)
})

/** In a worker it spins; where that would stop the spec, it waits. */
export const spinReport: Task<[n: number], void> = task(
  import.meta.url,
  async function spinReport(_n: number): Promise<void> {
    const { isMainThread } = await import('node:worker_threads')
    if (isMainThread) await new Promise((resolve) => setTimeout(resolve, 500))
    else for (;;);
  },
)
