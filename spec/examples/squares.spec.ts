import { assert, runNode, suite } from '../harness.js'

const test = suite('the squares example')
const numbers = [1, 2, 3, 4, 5, 6, 7, 8, 9]

interface Square {
  pid: number
  name: string
  i: number
  result: number
}

function squaresIn(text: string): Square[] {
  return [...text.matchAll(/^process (\d+), (\S+): the square of (\d) is (\d+)$/gm)]
    .map(([, pid, name, i, result]) => ({ pid: Number(pid), name: name!, i: Number(i), result: Number(result) }))
    .toSorted((a, b) => a.i - b.i)
}

function secondsIn(text: string, what: string): number {
  const [, seconds] = new RegExp(`^${what}: ([\\d.]+) s, where nine pauses one after another take 9 s$`, 'm').exec(
    text,
  )!
  return Number(seconds)
}

test('has nine processes, and then nine workers, compute squares in the time of one pause and not of nine', async () => {
  const { code, stdout, stderr } = await runNode(['.build/examples/squares.js'])
  assert.is(stderr, '')
  assert.is(code, 0)
  const [byProcesses, byExecutor] = stdout.split(/^(?=nine processes:)/m) as [string, string]

  const own = squaresIn(byProcesses)
  assert.equal(
    own.map(({ name, i, result }) => [name, i, result]),
    numbers.map((i) => [`name${i}`, i, i * i]),
  )
  assert.is(new Set(own.map(({ pid }) => pid)).size, 9)
  assert.not.ok(own.some(({ pid }) => pid === 0))

  const pooled = squaresIn(byExecutor)
  assert.equal(
    pooled.map(({ i, result }) => [i, result]),
    numbers.map((i) => [i, i * i]),
  )
  assert.is(new Set(pooled.map(({ pid }) => pid)).size, 9)
  assert.match(byExecutor, /^squares: 1, 4, 9, 16, 25, 36, 49, 64, 81$/m)

  for (const what of ['nine processes', 'an executor with nine workers']) {
    const seconds = secondsIn(stdout, what)
    assert.ok(seconds >= 1 && seconds < 9, `${what} took ${seconds} s`)
  }
})

test.run()
