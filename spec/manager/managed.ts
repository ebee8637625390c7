import { Manager } from 'manyhands'

/** Use a manager of one's own, which is shut down then. */
export async function managed(use: (manager: Manager) => Promise<void>): Promise<void> {
  const manager = await Manager.start()
  try {
    await use(manager)
  } finally {
    await manager.shutdown()
  }
}
