// A picture of the Mandelbrot set, computed row by row into shared memory: first by one core, then by all of them.
//   node .build/examples/mandelbrot.js [file.png] [--width pixels]
import { writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { encode } from 'fast-png'
import { Array as SharedArray, cpuCount, isMainThread, ProcessPoolExecutor, task } from 'manyhands'

const CHANNELS = 3
const MAX_STEPS = 2000

/** Steps until the point escapes; MAX_STEPS if it does not. */
function stepsOf(x: number, y: number): number {
  let [re, im, steps] = [0, 0, 0]
  while (steps < MAX_STEPS && re * re + im * im < 4) {
    const next = re * re - im * im + x
    im = 2 * re * im + y
    re = next
    steps++
  }
  return steps
}

const paintRows = task(
  import.meta.url,
  function paintRows(start: number, end: number, pixels: SharedArray<'B'>, width: number, height: number) {
    const { view } = pixels
    for (let row = start; row < end; row++)
      for (let column = 0; column < width; column++) {
        const steps = stepsOf((column / width) * 3.5 - 2.5, ((row - height / 2) / width) * 3.5)
        const glow = steps === MAX_STEPS ? 0 : Math.sqrt(steps / MAX_STEPS)
        view.set([glow * 255, glow * glow * 255, Math.sqrt(glow) * 255], (row * width + column) * CHANNELS)
      }
  },
)

async function paint(width: number, height: number, workers: number): Promise<{ pixels: Uint8Array; ms: number }> {
  await using executor = new ProcessPoolExecutor({ maxWorkers: workers })
  // Start the threads first: only the picture is to be timed.
  await Promise.all(Array.from({ length: workers }, () => executor.submit(() => {})))
  const pixels = new SharedArray('B', width * height * CHANNELS, { lock: false })
  const startMs = performance.now()
  await executor.parallelFor(height, paintRows, { args: [pixels, width, height] })
  return { pixels: Uint8Array.from(pixels.view), ms: performance.now() - startMs }
}

if (isMainThread) {
  const options = { width: { type: 'string', default: '1200' } } as const
  const { values, positionals } = parseArgs({ options, allowPositionals: true })
  const [width, file] = [Number(values.width), positionals[0] ?? join(tmpdir(), 'mandelbrot.png')]
  const height = Math.round((width * 2) / 3)
  const cores = cpuCount()

  const one = await paint(width, height, 1)
  console.log(`1 core: ${one.ms.toFixed(0)} ms for ${width} x ${height} pixels`)
  const all = await paint(width, height, cores)
  console.log(`${cores} cores: ${all.ms.toFixed(0)} ms, ${(one.ms / all.ms).toFixed(2)} times as fast`)

  const pictures = [one, all].map(({ pixels }) => encode({ width, height, channels: CHANNELS, data: pixels }))
  const equal = Buffer.compare(pictures[0]!, pictures[1]!) === 0
  writeFileSync(file, pictures[1]!)
  console.log(`${file}: ${pictures[1]!.length} bytes, ${equal ? 'byte for byte the same' : 'NOT THE SAME'} on both`)
  if (!equal) process.exitCode = 1
}
