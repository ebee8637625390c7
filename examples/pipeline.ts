// A pipeline: a producer, and three stages in processes of their own, with a queue before each stage. The queues hold few items, so a
// fast stage waits for a slow one (backpressure). The end of the input passes through the pipeline as a shutdown: each stage drains its
// queue, and shuts down the next queue when its last process is done. Nothing is lost, and nothing is killed.
//   node .build/examples/pipeline.js [items]
import { createHash } from 'node:crypto'
import { deflateSync } from 'node:zlib'
import { isMainThread, Process, Queue, task } from 'manyhands'

interface Item {
  id: number
  text: string
}
interface Packed {
  id: number
  bytes: Uint8Array
}
interface Digest {
  id: number
  size: number
  sha256: string
}

const ROOM = 8

const render = task(import.meta.url, async function render(input: Queue<number>, output: Queue<Item>) {
  for await (const id of input) await output.put({ id, text: `item ${id} `.repeat(500) })
})

const pack = task(import.meta.url, async function pack(input: Queue<Item>, output: Queue<Packed>) {
  for await (const { id, text } of input) await output.put({ id, bytes: deflateSync(text) })
})

const digest = task(import.meta.url, async function digest(input: Queue<Packed>, output: Queue<Digest>) {
  for await (const { id, bytes } of input)
    await output.put({ id, size: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') })
})

/** Run a stage in several processes. When all of them have drained the input, the output gets no more items and is shut down. */
async function stage<I, O>(
  work: typeof render | typeof pack | typeof digest,
  input: Queue<I>,
  output: Queue<O>,
  processes: number,
): Promise<void> {
  const running = Array.from({ length: processes }, () =>
    new Process({ target: work as never, args: [input, output] }).start(),
  )
  for (const process of running) await process.join()
  output.shutdown()
}

if (isMainThread) {
  const items = Number(process.argv[2] ?? 200)
  const ids = new Queue<number>(ROOM)
  const texts = new Queue<Item>(ROOM)
  const packed = new Queue<Packed>(ROOM)
  const digests = new Queue<Digest>(ROOM)
  const stages = [stage(render, ids, texts, 1), stage(pack, texts, packed, 2), stage(digest, packed, digests, 1)]

  const produce = async () => {
    for (let id = 0; id < items; id++) await ids.put(id) // Waits while the pipeline is full.
    ids.shutdown()
  }
  const produced = produce()

  let [count, bytes, fullest] = [0, 0, 0]
  for await (const { size } of digests) {
    count++
    bytes += size
    fullest = Math.max(fullest, ids.qsize(), texts.qsize(), packed.qsize(), digests.qsize())
  }
  await Promise.all([produced, ...stages])
  console.log(
    `${count} of ${items} items came through, ${bytes} bytes; no queue held more than ${ROOM}: ${fullest <= ROOM}`,
  )
}
