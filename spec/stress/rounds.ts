// Storms of kills on an Event, a Condition, a Barrier, in rounds: some threads wait, others release them, and often one of them is
// terminated at any moment. Every survivor must end the round, which is not repeated: so a single lost wake-up shows. Where the victim
// may not have begun, the storm does its part.
import { Worker } from 'node:worker_threads'
import { Barrier, Condition, Event, Lock } from 'manyhands'
import { randomFrom } from '../transport/values.js'

const HANG_MS = 20_000
const SLOTS = 4096
const THREADS = 6
const PARTIES = 3

const WAITS = 0
const LETS_GO = 1

// How a thread ended a round. From INDEX on: a party of a barrier, and its index.
const NO_RESULT = 0
const WELL = 1
const TOO_EARLY = 2
const BROKEN = 3
const INDEX = 4

// Words of the storm: the round whose waiters may go, the round whose action has run.
const OPEN = 0
const ACTED = 1
const ROUND = 2

// Slots: `turns` has round * 2 + role, or 0; `done` has round * 8 + how it ended, or 1 when the thread is ready; `entered` has the
// round in which it is known to wait.
const SOURCE = `
import { workerData } from 'node:worker_threads'
import { attach } from ${JSON.stringify(import.meta.resolve('manyhands'))}
const { kind, shared, words, turns, done, entered, slot } = attach(workerData)
globalThis.stormWords = words
const [blocks, timed] = [slot % 2 === 0, slot % 3 === 0]
async function take(lock) {
  for (;;) {
    try { return void (blocks ? lock.acquireSync() : await lock.acquire()) } catch (error) {
      if (error.code !== 'ERR_MANYHANDS_OWNER_DIED') throw error
      try { return lock.recoverSync() } catch (lost) { if (lost.code !== 'ERR_MANYHANDS_LOCK') throw lost }
    }
  }
}
const plays = {
  async Event(round, role) {
    if (role === ${LETS_GO}) { Atomics.store(words, ${OPEN}, round); shared.set(); return ${WELL} }
    while (!(blocks ? shared.waitSync(timed ? 1 : undefined) : await shared.wait(timed ? 1 : undefined)));
    return Atomics.load(words, ${OPEN}) === round ? ${WELL} : ${TOO_EARLY}
  },
  async Condition(round, role) {
    await take(shared)
    if (role === ${LETS_GO}) {
      Atomics.store(words, ${OPEN}, round)
      for (const endMs = performance.now() + 0.3; performance.now() < endMs; ); // It often dies here: the waiters may go, and are not notified.
    }
    while (Atomics.load(words, ${OPEN}) !== round)
      try { if (blocks) shared.waitSync(timed ? 1 : undefined); else await shared.wait(timed ? 1 : undefined) } catch (error) {
        if (error.code !== 'ERR_MANYHANDS_OWNER_DIED') throw error
        await take(shared)
      }
    shared.notify(1)
    shared.release()
    return ${WELL}
  },
  async Barrier(round) {
    try {
      if (blocks) return ${INDEX} + shared.waitSync()
      const index = shared.wait()
      Atomics.store(entered, slot, round)
      return ${INDEX} + await index
    } catch (error) {
      if (error.code !== 'ERR_MANYHANDS_BROKEN_BARRIER') throw error
      return ${BROKEN}
    }
  },
}
async function main() {
  Atomics.store(done, slot, 1)
  for (let turn = 0; ; ) {
    Atomics.wait(turns, slot, turn)
    turn = Atomics.load(turns, slot)
    const round = turn >> 1
    Atomics.store(done, slot, round * 8 + await plays[kind](round, turn & 1))
  }
}
main()`

interface Game {
  shared: object
  /** How many wait in a round, and how many release them. */
  waiters: number
  openers: number
  prepare(): void
  /** Do the part of a killed thread, unless it has certainly begun. Ends when the round has ended. */
  standIn(words: Int32Array, round: number, role: number, entered: boolean, ended: AbortSignal): Promise<number>
  /** Whether these results may occur together. */
  isRight(results: number[], words: Int32Array, round: number): boolean
}

const allWell = (results: number[]) => results.every((how) => how === WELL)

function wholeParty(results: number[]): boolean {
  const passed = results.filter((how) => how >= INDEX)
  return passed.length === 0 || (passed.length === results.length && new Set(passed).size === passed.length)
}

function playEvent(): Game {
  const event = new Event()
  return {
    shared: event,
    waiters: 3,
    openers: 1,
    prepare: () => event.clear(),
    async standIn(words, round, role) {
      if (role === LETS_GO && !event.isSet()) {
        Atomics.store(words, OPEN, round)
        event.set()
      }
      return NO_RESULT
    },
    isRight: allWell,
  }
}

function playCondition(): Game {
  const condition = new Condition(new Lock())
  return {
    shared: condition,
    waiters: 3,
    openers: 1,
    prepare() {},
    async standIn(words, round, role) {
      if (role !== LETS_GO || Atomics.load(words, OPEN) === round) return NO_RESULT
      try {
        await condition.acquire()
      } catch {
        condition.recoverSync()
      }
      Atomics.store(words, OPEN, round)
      condition.notify(1)
      condition.release()
      return NO_RESULT
    },
    isRight: allWell,
  }
}

function playBarrier(options?: ConstructorParameters<typeof Barrier>[1]): Game {
  const barrier = new Barrier(PARTIES, options)
  return {
    shared: barrier,
    waiters: PARTIES,
    openers: 0,
    prepare: () => barrier.reset(),
    async standIn(_words, _round, _role, entered, signal) {
      if (entered) return NO_RESULT
      try {
        return INDEX + (await barrier.wait({ signal }))
      } catch {
        return signal.aborted ? NO_RESULT : BROKEN
      }
    },
    isRight(results, words, round) {
      const acted = !options || results[0]! < INDEX || Atomics.load(words, ACTED) === round
      return wholeParty(results) && acted
    },
  }
}

const actsIn = () => {
  const { stormWords } = globalThis as unknown as { stormWords: Int32Array }
  Atomics.store(stormWords, 1, Atomics.load(stormWords, 2))
}

const games: Record<string, () => Game> = {
  Event: playEvent,
  Condition: playCondition,
  Barrier: () => playBarrier(),
  'Barrier with an action': () => playBarrier({ action: actsIn }),
}

/** The kinds that can be played in rounds. */
export const played: string[] = Object.keys(games)

export interface Rounds {
  rounds: number
  kills: number
  /** Rounds in which a barrier was broken. */
  broken: number
}

/** Play rounds of one kind. Throws when a survivor does not end a round, or gets a result that it must not get. */
export async function playRounds(kind: string, seed: number, durationMs: number): Promise<Rounds> {
  const random = randomFrom(seed)
  const game = games[kind]!()
  const shares = () => new Int32Array(new SharedArrayBuffer(4 * SLOTS))
  const [words, turns, done, entered] = [shares(), shares(), shares(), shares()]
  Object.assign(globalThis, { stormWords: words })
  const workers = new Map<number, Worker>()
  let failure: unknown
  let slots = 0
  const add = () => {
    const slot = slots++
    const workerData = { kind: kind.split(' ')[0], shared: game.shared, words, turns, done, entered, slot }
    const worker = new Worker(SOURCE, { eval: true, execArgv: ['--input-type=module'], workerData })
    workers.set(
      slot,
      worker.on('error', (error) => (failure ??= error)),
    )
  }
  const waitUntil = async (what: string, check: () => boolean) => {
    const hangMs = performance.now() + HANG_MS
    for (let looks = 0; !check(); looks++) {
      // A round is short, the start of a thread is long: stay out of its way.
      await new Promise((resolve) => (looks < 50 ? setImmediate(resolve) : setTimeout(resolve, 1)))
      if (failure) throw failure as Error
      if (performance.now() > hangMs) throw new Error(`${kind}, seed ${seed}: ${what}`)
    }
  }
  const pass = (ms: number) => {
    for (const endMs = performance.now() + ms; performance.now() < endMs;);
  }
  const start = (slot: number, round: number, role: number) => {
    Atomics.store(turns, slot, round * 2 + role)
    Atomics.notify(turns, slot)
  }
  const seats = game.waiters + game.openers
  const endMs = performance.now() + durationMs
  let [round, kills, broken] = [0, 0, 0]
  for (let i = 0; i < THREADS; i++) add()
  try {
    while (performance.now() < endMs) {
      const ready = () => [...workers.keys()].filter((slot) => Atomics.load(done, slot) !== 0)
      await waitUntil('threads do not start', () => ready().length >= seats)
      const at = ready()
      const players = Array.from({ length: seats }, () => at.splice(Math.floor(random() * at.length), 1)[0]!)
      game.prepare()
      round++
      Atomics.store(words, ROUND, round)
      const roleOf = (slot: number) => (players.indexOf(slot) < game.waiters ? WAITS : LETS_GO)
      // Only if another can take its place: starting one takes as long as many rounds.
      const dies = random() < 0.5 && at.length > 0 && slots < SLOTS
      const victim = dies ? players[Math.floor(random() * seats)]! : -1
      const last = players.at(-1)!
      const kill = async () => {
        const worker = workers.get(victim)!
        workers.delete(victim)
        await worker.terminate()
        kills++
        add()
      }
      for (const slot of players) if (slot !== last) start(slot, round, roleOf(slot))
      // It dies before the last arrives, for which the others wait, or at any moment from then on.
      const early = victim >= 0 && victim !== last && random() < 0.5
      if (early) {
        await new Promise((resolve) => setTimeout(resolve, random() * 4))
        await kill()
      } else pass(random() < 0.5 ? 0 : random() * 2)
      start(last, round, roleOf(last))
      if (victim >= 0 && !early) {
        pass(random() * 0.5)
        await kill()
      }
      const ended = new AbortController()
      const hadBegun = () => Atomics.load(entered, victim) === round || Atomics.load(done, victim) >> 3 === round
      const stoodIn = victim >= 0 ? game.standIn(words, round, roleOf(victim), hadBegun(), ended.signal) : undefined
      const living = players.filter((slot) => slot !== victim)
      await waitUntil(`a survivor does not end round ${round}`, () =>
        living.every((slot) => Atomics.load(done, slot) >> 3 === round),
      )
      ended.abort()
      const results = living.map((slot) => Atomics.load(done, slot) & 7)
      const resultHere = (await stoodIn) ?? NO_RESULT
      if (resultHere !== NO_RESULT) results.push(resultHere)
      if (!game.isRight(results, words, round))
        throw new Error(`${kind}, seed ${seed}: in round ${round} the results were ${results.join(', ')}`)
      if (results.includes(BROKEN)) broken++
    }
  } finally {
    await Promise.all([...workers.values()].map((worker) => worker.terminate()))
  }
  return { rounds: round, kills, broken }
}
