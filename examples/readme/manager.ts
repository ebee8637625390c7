import { isMainThread, Manager, Process, task, type Remote, type RemoteDict } from 'manyhands'

class Account {
  balance = 0
  deposit(amount: number) {
    this.balance += amount
  }
}
task(import.meta.url, Account)

const work = task(
  import.meta.url,
  async function work(account: Remote<Account>, counts: RemoteDict<string, number>, name: string) {
    await account.deposit(10)
    await counts.set(name, 1)
    await counts.update('all', (n: number) => n + 1)
  },
)

if (isMainThread) {
  const manager = await Manager.start()
  const account = manager.create(Account)
  const counts = manager.dict({ all: 0 })
  const processes = ['a', 'b'].map((name) => new Process({ target: work, args: [account, counts, name] }).start())
  await Promise.all(processes.map((process) => process.join()))
  console.log(await account.balance) // → 20
  console.log(await counts.get('all'), await counts.size) // → 2 3
  await manager.shutdown()
}
