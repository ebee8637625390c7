// A storm on pipes. Pairs of threads send each other numbered messages, one or both ways, and receive them in every form there is,
// until one of the two is terminated at any moment, or closes its end. Checked: the survivor receives all that the other had sent,
// whole and in order, and nothing else, and then the end of file; nobody waits for ever. A thread counts in shared memory what it
// has sent, so that the count survives it.
import { setImmediate as turn } from 'node:timers/promises'
import { inspect, isDeepStrictEqual } from 'node:util'
import { Pipe, Process, task, type Connection } from 'manyhands'
import { randomFrom, type Random } from '../transport/values.js'

const HANG_MS = 30_000

/** Maximum number of messages that a thread which only sends is ahead. */
const MAX_AHEAD = 100

// Words of each side.
const ATTEMPTED = 0
const SENT = 1
const RECEIVED = 2
const SIDE_WORDS = 32

interface Game {
  end: Connection
  side: 0 | 1
  duplex: boolean
  seed: number
  /** Whether this thread may be blocked. */
  blocks: boolean
  /** Close the end after so many messages, sent and received. */
  closeAfter: number
  words: Int32Array
}

/** How a thread's part has ended. */
type Told = 'end of file' | 'broken' | 'closed'

const codeOf = (reason: unknown) => (reason as { code?: string }).code?.replace('ERR_MANYHANDS_', '')

const isBytes = (n: number) => n % 3 === 0

/** What a side sends as its n-th message. */
function messageOf(side: number, n: number): unknown {
  const size = (n * 37) % (n % 50 === 0 ? 100_000 : 500)
  if (isBytes(n)) return new Uint8Array(size).fill(n + side)
  if (n % 3 === 1) return { side, n, text: 'x'.repeat(size), list: [n, { n }] }
  return { side, n, bytes: new Uint8Array(size).fill(n) }
}

/** Receive in one of the forms. Returns `undefined` when nothing came in time. */
async function receive({ end, blocks }: Game, random: Random, bytes: boolean): Promise<{ value: unknown } | undefined> {
  const form = Math.floor(random() * (blocks ? 8 : 5))
  const timeout = random() < 0.5 ? random() * 2 : undefined
  try {
    switch (form) {
      case 0:
        await turn()
        return end.tryRecv()
      case 1:
        return (await end.poll({ timeout: timeout ?? Infinity })) ? end.tryRecv() : undefined
      case 2:
      case 3:
        return { value: bytes ? await end.recvBytes({ timeout }) : await end.recv({ timeout }) }
      case 4:
        for await (const value of end) return { value }
        return { value: await end.recv() } // Throws EOFError.
      case 5:
        return end.pollSync(timeout) ? end.tryRecv() : undefined
      default:
        return { value: bytes ? end.recvBytesSync(timeout) : end.recvSync(timeout) }
    }
  } catch (reason) {
    if (codeOf(reason) === 'TIMEOUT') return undefined
    throw reason
  }
}

/** The part of one side. */
async function play(game: Game): Promise<Told> {
  const { end, side, duplex, seed, blocks, closeAfter, words } = game
  const random = randomFrom(seed)
  const at = side * SIDE_WORDS
  const from = SIDE_WORDS - at
  let [sent, received, broken] = [0, 0, false]
  const send = () => {
    if (broken) return
    const message = messageOf(side, sent + 1)
    Atomics.store(words, at + ATTEMPTED, sent + 1)
    try {
      if (message instanceof Uint8Array) end.sendBytes(message)
      else end.send(message, random() < 0.5 && sent % 3 === 1 ? [(message as { bytes: Uint8Array<ArrayBuffer> }).bytes.buffer] : undefined) // prettier-ignore
    } catch (reason) {
      if (codeOf(reason) !== 'BROKEN_PIPE') throw reason
      broken = true
      return
    }
    Atomics.store(words, at + SENT, ++sent)
  }
  const isOver = () => {
    if (sent + received < closeAfter) return false
    end.close()
    return true
  }
  if (!duplex && side === 1) {
    for (;;) {
      if (isOver()) return 'closed'
      send()
      if (broken) return 'broken'
      if (sent - Atomics.load(words, from + RECEIVED) < MAX_AHEAD) continue
      if (blocks) Atomics.wait(words, at + SENT, sent, 1)
      else await new Promise((resolve) => setTimeout(resolve, 1))
    }
  }
  if (duplex) for (let burst = 1 + Math.floor(random() * random() * 40); burst > 0; burst--) send()
  for (;;) {
    if (isOver()) return 'closed'
    let message: { value: unknown } | undefined
    try {
      message = await receive(game, random, isBytes(received + 1))
    } catch (reason) {
      if (codeOf(reason) !== 'EOF') throw reason
      break
    }
    if (!message) continue
    const expected = messageOf(1 - side, ++received)
    if (!isDeepStrictEqual(message.value, expected))
      throw new Error(`not message ${received}: ${inspect(message.value)}`)
    Atomics.store(words, at + RECEIVED, received)
    if (duplex) send()
  }
  // The end of file stays, and holds both ways.
  await refuses('EOF', () => end.recv())
  if (duplex) await refuses('BROKEN_PIPE', () => end.send('nobody receives it'))
  return 'end of file'
}

async function refuses(code: string, use: () => unknown): Promise<void> {
  try {
    await use()
  } catch (reason) {
    if (codeOf(reason) === code) return
    throw reason
  }
  throw new Error(`no ${code} after the end of file`)
}

/** Plays the games that come through its connection, until that is closed. */
export const playPipes = task(import.meta.url, async function playPipes(control: Connection) {
  control.send('ready')
  for await (const game of control as Connection<Game>) control.send(await play(game))
})

/** A process that plays. */
class Player {
  readonly #control: Connection
  readonly process: Process

  constructor() {
    const [here, there] = Pipe()
    this.#control = here
    this.process = new Process({ target: playPipes, args: [there] }).start()
  }

  async isReady(): Promise<void> {
    await this.#control.recv(HANG_MS)
  }

  play(game: Game): Promise<Told> {
    this.#control.send(game)
    return this.#control.recv(HANG_MS) as Promise<Told>
  }

  async end(): Promise<void> {
    this.process.terminate()
    await this.process.join()
  }
}

export interface PipeStorm {
  games: number
  kills: number
  closed: number
  messages: number
}

/** Storm pipes, at least until there was a kill and a close. @throws Error a survivor does not get what it should, or waits for ever */
export async function pipeStorm(seed: number, durationMs: number): Promise<PipeStorm> {
  const endMs = performance.now() + durationMs
  const storm: PipeStorm = { games: 0, kills: 0, closed: 0, messages: 0 }
  const players = new Set<Player>()
  const add = async () => {
    const player = new Player()
    players.add(player)
    await player.isReady()
    return player
  }
  const remove = async (player: Player) => {
    players.delete(player)
    await player.end()
  }

  /** Two threads play, game after game; with `here`, this thread is one of them. */
  const pair = async (random: Random, here: boolean) => {
    const sides: (Player | undefined)[] = [await add(), here ? undefined : await add()]
    while (performance.now() < endMs || storm.kills === 0 || storm.closed === 0) {
      if (random() < 0.5) sides.reverse()
      const duplex = random() < 0.7
      const words = new Int32Array(new SharedArrayBuffer(8 * SIDE_WORDS))
      const ends = Pipe({ duplex })
      const victim = sides[random() < 0.5 ? 0 : 1]
      // Fewer kills than there might be: starting another takes as long as many games.
      const kills = victim !== undefined && random() < 0.4
      const closer = !kills || random() < 0.5 ? Math.floor(random() * 2) : -1
      const told = sides.map(async (player, side) => {
        const game: Game = {
          end: ends[side]!,
          side: side as 0 | 1,
          duplex,
          seed: Math.floor(random() * 2 ** 31),
          blocks: player !== undefined && random() < 0.7,
          closeAfter: side === closer ? Math.floor(random() * random() * 1000) : Infinity,
          words,
        }
        try {
          return await (player ? player.play(game) : play(game))
        } catch (cause) {
          if (codeOf(cause) === 'EOF') await player?.process.join(HANG_MS)
          if (player === victim && player?.process.exitcode === -15) return 'killed'
          throw new Error(`pipe, seed ${seed}, side ${side}: ${inspect(player?.process.error ?? cause)}`, { cause })
        }
      })
      const ended = Promise.all(told)
      if (kills) {
        // A thread that is killed early never sees the game.
        const kill = async () => {
          await new Promise((resolve) => setTimeout(resolve, random() * 25))
          await remove(victim)
          storm.kills++
          sides[sides.indexOf(victim)] = await add()
        }
        await Promise.all([ended, kill()])
      }
      for (const [side, how] of (await ended).entries()) {
        const [at, from] = [side * SIDE_WORDS, SIDE_WORDS - side * SIDE_WORDS]
        const [attempted, sent, received] = [words[from + ATTEMPTED]!, words[from + SENT]!, words[at + RECEIVED]!]
        if (how === 'closed') storm.closed++
        storm.messages += received
        if (how === 'end of file' && (received < sent || received > attempted))
          throw new Error(`pipe, seed ${seed}: ${received} received of ${sent} sent, ${attempted} attempted`)
      }
      storm.games++
    }
  }
  const pairs = await Promise.allSettled([false, false, true].map((here, i) => pair(randomFrom(seed + i), here)))
  await Promise.all([...players].map(remove))
  for (const pair of pairs) if (pair.status === 'rejected') throw pair.reason as Error
  return storm
}
