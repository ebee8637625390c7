import { Manager } from 'manyhands'

/** Start a manager, use it, and shut it down. */
export async function managed(use: (manager: Manager) => Promise<void>): Promise<void> {
  const manager = await Manager.start()
  try {
    await use(manager)
  } finally {
    await manager.shutdown()
  }
}
