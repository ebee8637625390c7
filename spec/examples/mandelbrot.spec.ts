import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { decode } from 'fast-png'
import { assert, runNode, suite } from '../harness.js'

const test = suite('the mandelbrot example')

test('paints the same picture on one core and on all, and writes it as a PNG', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'manyhands-'))
  try {
    const file = join(folder, 'picture.png')
    const { code, stdout, stderr } = await runNode(['.build/examples/mandelbrot.js', file, '--width', '140'])
    assert.is(stderr, '')
    assert.is(code, 0)
    const [one, all, written] = stdout.split('\n')
    assert.match(one!, /^1 core: \d+ ms for 140 x 93 pixels$/)
    assert.match(all!, new RegExp(`^${availableParallelism()} cores: \\d+ ms, \\d+\\.\\d\\d times as fast$`))
    assert.match(written!, 'byte for byte the same on both')

    const { width, height, channels, data } = decode(readFileSync(file))
    assert.equal([width, height, channels, data.length], [140, 93, 3, 140 * 93 * 3])
    /** The colour at a point of the plane: 140 columns from -2.5 to 1, the real axis in the middle. */
    const at = (x: number, y: number) => {
      const [column, row] = [Math.round((x + 2.5) * 40), Math.round(y * 40 + 46.5)]
      return [...data.subarray((row * width + column) * 3).subarray(0, 3)]
    }
    for (const [x, y] of [
      [0, 0],
      [-1, 0],
      [-0.1, 0.7],
      [-0.1, -0.7],
    ])
      assert.equal(at(x!, y!), [0, 0, 0], `${x}, ${y} belongs to the set`)
    for (const [x, y] of [
      [-2.4, 1],
      [0.9, 0],
      [-2.4, -1],
      [0, 1.1],
    ])
      assert.ok(at(x!, y!)[2]! > 0, `${x}, ${y} does not`)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test.run()
