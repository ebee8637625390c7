import { assert, suite } from '../harness.js'
import { Crew } from './traffic.js'

const test = suite('the traffic of cache lines')
const crew = new Crew()

test('a lock that one thread uses moves no line', async () => {
  const { transfers, sleeps } = await crew.run('lock', 1, 50)
  assert.equal({ transfers, sleeps }, { transfers: 0, sleeps: 0 })
})

test('a lock that goes round among threads which are not in each other’s way moves one line a use', async () => {
  const short = await crew.run('lock, 20 us of work between', 4, 80)
  const long = await crew.run('lock, 20 us of work between', 4, 480)
  assert.is(long.transfers - short.transfers, 400)
  assert.equal(Object.keys(long.lines), ['0'])
})

test('a lock between two threads that do nothing else moves its line to each, again and again', async () => {
  const { transfers, uses } = await crew.run('lock', 2, 200)
  assert.ok(transfers >= 1.5 * uses && transfers <= 3 * uses, `${transfers} transfers in ${uses} uses`)
})

for (const program of ['permits for all', 'read'] as const)
  test(`${program}: once each of four threads has a token, nothing moves`, async () => {
    const [short, long] = [await crew.run(program, 4, 400), await crew.run(program, 4, 4000)]
    assert.is(long.transfers, short.transfers)
    assert.ok(short.transfers > 0)
  })

test('a queue from one thread to another moves a line for TAIL and the lines of the frames, and no lock', async () => {
  const { lines, transfers, uses } = await crew.run('queue n:n', 2, 400)
  assert.ok(transfers >= uses, `${transfers} transfers for ${uses} messages`)
  assert.ok((lines[224] ?? 0) > 0, 'TAIL never moved')
  assert.ok((lines[224] ?? 0) <= 2 * uses, `TAIL moved ${lines[224]} times`)
  for (const lock of [0, 64]) assert.ok((lines[lock] ?? 0) <= 1, `the lock at ${lock} moved ${lines[lock]} times`)
})

test('the same run gives the same figures', async () => {
  const [first, second] = [await crew.run('queue n:n', 4, 100), await crew.run('queue n:n', 4, 100)]
  assert.equal(second, first)
})

test('a word that another side writes, moved onto the line of a lock, is seen as traffic', async () => {
  const mutant = {
    name: 'TAIL beside the readers’ lock',
    file: 'lib/queue/queue-layout.ts',
    from: 'TAIL = 224',
    to: 'TAIL = 72',
  }
  const [shipped, mutated] = [await crew.run('queue n:n', 2, 400), await crew.run('queue n:n', 2, 400, { mutant })]
  assert.ok(mutated.transfers > shipped.transfers, `${mutated.transfers} and ${shipped.transfers} transfers`)
})

test.run()
