import { isMainThread, Lock, OwnerDiedError, Process, task, Value } from 'manyhands'

const deposit = task(import.meta.url, function deposit(balance: Value<'d'>, lock: Lock, amount: number) {
  for (let n = 0; n < 1000; n++) {
    lock.acquireSync()
    balance.value += amount
    lock.release()
  }
})

const dieHolding = task(import.meta.url, function dieHolding(lock: Lock) {
  lock.acquireSync()
  process.exit(0)
})

if (isMainThread) {
  const [balance, lock] = [new Value('d', 0), new Lock()]
  const processes = [1, 2, 3].map(() => new Process({ target: deposit, args: [balance, lock, 0.5] }).start())
  await Promise.all(processes.map((process) => process.join()))
  console.log(balance.value) // → 1500

  await new Process({ target: dieHolding, args: [lock] }).start().join()
  const thrown = await lock.acquire().catch((error) => error)
  console.log(thrown instanceof OwnerDiedError) // → true
  await lock.recover() // Take it over, repair what it protects if need be,
  lock.release() // and release it.
}
