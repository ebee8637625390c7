// `npm run stress [minutes] [seed] [kind]`: storms for minutes. The seed of each is printed; given again, it repeats the decisions.
import { managerStorm } from './manager-storm.js'
import { pipeStorm } from './pipe-storm.js'
import { explainHistories } from './queue-histories.js'
import { queueStorm } from './queue-storm.js'
import { played, playRounds } from './rounds.js'
import { storm, stormed } from './storm.js'

const MANAGER_CALLS = 1_000_000

/** Bytes: two for each call. */
const MANAGER_ALLOWED = 2_000_000

const [minutes = '5', seed, only] = process.argv.slice(2)
const endMs = performance.now() + Number(minutes) * 60_000
let next = seed === undefined ? Date.now() % 2 ** 31 : Number(seed)
while (performance.now() < endMs) {
  for (const kind of stormed.filter((name) => !only || name === only)) {
    const { uses, kills, overlaps } = await storm(kind, next, 5000)
    console.log(`${kind}, seed ${next}: ${uses} uses, ${kills} kills, ${overlaps} overlaps`)
    if (overlaps > 0) process.exit(1)
  }
  for (const kind of played.filter((name) => !only || name === only)) {
    const { rounds, kills, broken } = await playRounds(kind, next, 5000)
    console.log(`${kind}, seed ${next}: ${rounds} rounds, ${kills} kills, ${broken} broken`)
  }
  if (!only || only === 'Queue') {
    const { messages, kills, torn, doubled, missing, excused } = await queueStorm(next, 5000)
    console.log(`Queue, seed ${next}: ${messages} messages, ${kills} kills, ${missing} died with their consumers`)
    if (torn > 0 || doubled > 0 || missing > excused) process.exit(1)
  }
  if (!only || only === 'Histories') {
    const { histories, operations, met } = await explainHistories(next, 2000, 20_000)
    console.log(
      `Histories, seed ${next}: ${histories} of queues, ${operations} operations; in short ones ${met} met another`,
    )
  }
  if (!only || only === 'Pipe') {
    const { games, kills, closed, messages } = await pipeStorm(next, 5000)
    console.log(`Pipe, seed ${next}: ${games} pipes, ${kills} kills, ${closed} ends closed, ${messages} messages`)
  }
  if (!only || only === 'Manager') {
    const { calls, proxies, callerGrowth, managerGrowth } = await managerStorm(MANAGER_CALLS, MANAGER_ALLOWED)
    console.log(
      `Manager: ${calls} calls, ${proxies} proxies: caller ${callerGrowth}, manager ${managerGrowth} bytes more than after the warm-up`,
    )
    if (callerGrowth > MANAGER_ALLOWED || managerGrowth > MANAGER_ALLOWED) process.exit(1)
  }
  next++
}
