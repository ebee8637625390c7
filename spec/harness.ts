// What every spec file uses: uvu with a time limit per test, and waiting for events.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { suite as uvuSuite } from 'uvu'
import * as assert from 'uvu/assert'

export { assert }

const LIMIT_MS = 150_000

interface Suite {
  /** A test whose name is a sentence. It fails when it has not ended within the limit. */
  (sentence: string, fn: () => void | Promise<void>): void
  run(): void
}

/** A group of tests; call `run()` on it at the end of the file. */
export function suite(name: string): Suite {
  const group = uvuSuite(name)
  const test = (sentence: string, fn: () => void | Promise<void>) =>
    group(sentence, async () => {
      let timer!: NodeJS.Timeout
      const late = new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new Error(`not ended within ${LIMIT_MS} ms: ${sentence}`)), LIMIT_MS)
      })
      try {
        await Promise.race([fn(), late])
      } finally {
        clearTimeout(timer)
      }
    })
  return Object.assign(test, { run: () => group.run() })
}

/** What `fn` (or the promise it returns) throws. Fails if it throws nothing. */
export async function thrownBy(fn: () => unknown): Promise<any> {
  try {
    await fn()
  } catch (thrown) {
    return thrown
  }
  return assert.unreachable('nothing was thrown')
}

/** Wait until `check` is true, looking every few milliseconds. Only for what gives no event; the test's limit bounds it. */
export async function until(check: () => boolean): Promise<void> {
  while (!check()) await new Promise((resolve) => setTimeout(resolve, 2))
}

export interface Ended {
  code: number | null
  signal: NodeJS.Signals | null
  stdout: string
  stderr: string
}

/** Run Node with these arguments as a child process, to its end. */
export async function runNode(args: string[], options: { env?: NodeJS.ProcessEnv; cwd?: string } = {}): Promise<Ended> {
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: LIMIT_MS,
    ...options,
    env: { ...process.env, ...options.env },
  })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (text) => (stdout += text))
  child.stderr.on('data', (text) => (stderr += text))
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
  return { code, signal, stdout, stderr }
}

/** Run an ES module given by its source, in this package's folder, so that it can import 'manyhands'. */
export function runProgram(source: string, args: string[] = []): Promise<Ended> {
  return runNode([...args, '--input-type=module', '--eval', source])
}
