// A Python process that measures on request, so that its measurements interleave with ours. Absent where there is no python3.
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

export interface Python {
  /** Call a function of the script. It takes no arguments and returns a number. */
  call(name: string): Promise<number>
  close(): void
}

/** Start Python with a script that defines functions. `undefined` where there is no python3. */
export function startPython(script: string): Python | undefined {
  if (spawnSync('python3', ['--version']).status !== 0) return undefined
  const folder = mkdtempSync(join(tmpdir(), 'bench-'))
  const file = join(folder, 'bench.py')
  const loop = `if __name__ == '__main__':\n    import sys\n    for line in sys.stdin:\n        print(globals()[line.strip()](), flush=True)\n`
  writeFileSync(file, `${script}\n${loop}`)
  const child = spawn('python3', [file], { stdio: ['pipe', 'pipe', 'inherit'] })
  const answers = createInterface(child.stdout)[Symbol.asyncIterator]()
  return {
    async call(name) {
      child.stdin.write(`${name}\n`)
      return Number((await answers.next()).value)
    },
    close() {
      child.stdin.end()
      rmSync(folder, { recursive: true })
    },
  }
}
