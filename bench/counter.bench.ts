// What does counting cost: unprotected, atomically, and under each lock? First on one thread, without contention (by benchmark.js),
// beside the two raw Atomics calls that every lock needs. Then on two threads at once (or `--workers`), beside C++'s std::mutex, Python's Value, and
// the Mutex of the package multithreading. Every total is asserted; for the unprotected counter, the loss is printed.
import Benchmark from 'benchmark'
import { isMainThread, Lock, Process, RLock, Semaphore, task, Value } from 'manyhands'
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { measure, report, type Contender } from './measure.js'
import { importMultithreading } from './peers/multithreading.js'
import { startPython } from './python.js'
import { WORKERS } from './workers.js'

const ROUNDS = 5
const BATCH = 1000

/** A counter, and one way to increment it. */
interface Way {
  name: string
  count(times: number): void
  total(): number
}

async function ways(): Promise<Way[]> {
  const { Mutex } = await importMultithreading()
  const plain = new Int32Array(new SharedArrayBuffer(4))
  const atomic = new Int32Array(new SharedArrayBuffer(4))
  const value = new Value('i')
  const raw = { word: new Int32Array(new SharedArrayBuffer(4)), counter: new Int32Array(new SharedArrayBuffer(4)) }
  const lock = { lock: new Lock(), counter: new Int32Array(1) }
  const rlock = { lock: new RLock(), counter: new Int32Array(1) }
  const semaphore = { lock: new Semaphore(1), counter: new Int32Array(1) }
  const mutex = new Mutex(new Int32Array(new SharedArrayBuffer(4)))
  return [
    {
      name: 'plain ++',
      count(times) {
        for (let i = 0; i < times; i++) plain[0]!++
      },
      total: () => plain[0]!,
    },
    {
      name: 'Atomics.add',
      count(times) {
        for (let i = 0; i < times; i++) Atomics.add(atomic, 0, 1)
      },
      total: () => atomic[0]!,
    },
    {
      name: 'Value.add',
      count(times) {
        for (let i = 0; i < times; i++) value.add(1)
      },
      total: () => value.value,
    },
    {
      name: 'raw compareExchange + exchange',
      count(times) {
        const { word, counter } = raw
        for (let i = 0; i < times; i++) {
          Atomics.compareExchange(word, 0, 0, 1)
          counter[0]!++
          Atomics.exchange(word, 0, 0)
        }
      },
      total: () => raw.counter[0]!,
    },
    // A loop for each lock: V8 optimizes a shared one for none of them.
    {
      name: 'Lock',
      count(times) {
        const { lock: one, counter } = lock
        for (let i = 0; i < times; i++) {
          one.acquireSync()
          counter[0]!++
          one.release()
        }
      },
      total: () => lock.counter[0]!,
    },
    {
      name: 'RLock',
      count(times) {
        const { lock: one, counter } = rlock
        for (let i = 0; i < times; i++) {
          one.acquireSync()
          counter[0]!++
          one.release()
        }
      },
      total: () => rlock.counter[0]!,
    },
    {
      name: 'Semaphore(1)',
      count(times) {
        const { lock: one, counter } = semaphore
        for (let i = 0; i < times; i++) {
          one.acquireSync()
          counter[0]!++
          one.release()
        }
      },
      total: () => semaphore.counter[0]!,
    },
    {
      name: 'multithreading Mutex',
      count(times) {
        for (let i = 0; i < times; i++) {
          const guard = mutex.blockingLock()
          guard.value[0]!++
          guard.dispose()
        }
      },
      total: () => {
        const guard = mutex.blockingLock()
        const total = guard.value[0]!
        guard.dispose()
        return total
      },
    },
  ]
}

/** Nanoseconds per increment. benchmark.js chooses how often it counts; the total must match. */
function nanoseconds({ name, count, total }: Way): Promise<number> {
  let counted = total()
  return new Promise((resolve) => {
    const batch = () => {
      count(BATCH)
      counted += BATCH
    }
    new Benchmark(name, batch, { maxTime: 0.3, minSamples: 5 })
      .on('complete', function (this: Benchmark) {
        assert.equal(total(), counted | 0, name)
        resolve((this.stats.mean * 1e9) / BATCH)
      })
      .run({ async: true })
  })
}

async function alone(): Promise<void> {
  const all = await ways()
  const asyncLock = new Lock()
  let asyncTotal = 0
  const contenders: Contender[] = all.map((way) => ({ name: way.name, measure: () => nanoseconds(way) }))
  contenders.push({
    name: 'async Lock',
    async measure() {
      const times = 20_000
      const start = performance.now()
      for (let i = 0; i < times; i++) {
        await asyncLock.acquire()
        asyncTotal++
        asyncLock.release()
      }
      return ((performance.now() - start) * 1e6) / times
    },
  })
  console.log('One thread: nanoseconds per increment')
  report(await measure(contenders, ROUNDS), 'ns', 'raw compareExchange + exchange')
  assert.equal(asyncTotal, ROUNDS * 20_000)
}

const TIMES = 1_000_000

interface Shared {
  value: Value<'i'>
  start: Value<'i'>
  nanoseconds: Value<'q'>
  lock: Lock
  rlock: RLock
  semaphore: Semaphore
  plain: SharedArrayBuffer
  /** The lock word of the package multithreading. */
  mutex: SharedArrayBuffer
}

const contend = task(
  import.meta.url,
  async function contend(how: string, times: number, shared: Shared, threads: number) {
    const { value, start, lock, rlock, semaphore } = shared
    const plain = new Int32Array(shared.plain)
    if (how === 'multithreading Mutex') await importMultithreading()
    start.add(1)
    while (start.value < threads);
    const begun = process.hrtime.bigint()
    const under = (one: { acquireSync(): boolean; release(): void }) => {
      for (let i = 0; i < times; i++) {
        one.acquireSync()
        plain[0]!++
        one.release()
      }
    }
    if (how === 'plain ++') for (let i = 0; i < times; i++) plain[0]!++
    else if (how === 'Atomics.add') for (let i = 0; i < times; i++) Atomics.add(plain, 0, 1)
    else if (how === 'Value.add') for (let i = 0; i < times; i++) value.add(1)
    else if (how === 'Lock') under(lock)
    else if (how === 'RLock') under(rlock)
    else if (how === 'Semaphore(1)') under(semaphore)
    else if (how === 'multithreading Mutex') {
      const { Mutex } = await importMultithreading()
      const mutex = new Mutex(plain, shared.mutex)
      for (let i = 0; i < times; i++) {
        const guard = mutex.blockingLock()
        guard.value[0]!++
        guard.dispose()
      }
    } else
      for (let i = 0; i < times; i++) {
        await lock.acquire()
        plain[0]!++
        lock.release()
      }
    // Both begin together. The longer of the two times is that of the run.
    const took = process.hrtime.bigint() - begun
    for (let seen = shared.nanoseconds.value; seen < took;) {
      const was = shared.nanoseconds.compareExchange(seen, took)
      if (was === seen) break
      seen = was
    }
  },
)

function contended(how: string, times: number): Contender {
  return {
    name: how,
    async measure() {
      const shared: Shared = {
        value: new Value('i'),
        start: new Value('i'),
        nanoseconds: new Value('q'),
        lock: new Lock(),
        rlock: new RLock(),
        semaphore: new Semaphore(1),
        plain: new SharedArrayBuffer(4),
        mutex: new SharedArrayBuffer(4),
      }
      const processes = Array.from({ length: WORKERS }, () =>
        new Process({ target: contend, args: [how, times, shared, WORKERS] }).start(),
      )
      await Promise.all(processes.map((process) => process.join()))
      const ms = Number(shared.nanoseconds.value) / 1e6
      const total = how === 'Value.add' ? shared.value.value : new Int32Array(shared.plain)[0]!
      if (how === 'plain ++')
        console.log(`plain ++ on ${WORKERS} threads lost ${WORKERS * times - total} of ${WORKERS * times}`)
      else assert.equal(total, WORKERS * times, how)
      return (WORKERS * times) / ms / 1000
    },
  }
}

const MUTEX_CPP = `
#include <chrono>
#include <cstdio>
#include <mutex>
#include <thread>
#include <vector>
int main() {
  const int times = 3000000;
  std::mutex mutex;
  volatile long total = 0;
  auto count = [&] { for (int i = 0; i < times; i++) { std::lock_guard<std::mutex> guard(mutex); total = total + 1; } };
  auto start = std::chrono::steady_clock::now();
  std::vector<std::thread> threads;
  for (int i = 0; i < ${WORKERS}; i++) threads.emplace_back(count);
  for (auto& thread : threads) thread.join();
  double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (total != ${WORKERS}L * times) return 1;
  std::printf("%f", ${WORKERS}.0 * times / seconds / 1e6);
}
`

/** Compiled once. Empty where there is no g++. */
function stdMutex(folder: string): Contender[] {
  const [source, program] = [join(folder, 'mutex.cpp'), join(folder, 'mutex')]
  writeFileSync(source, MUTEX_CPP)
  if (spawnSync('g++', ['-O2', '-pthread', '-o', program, source]).status !== 0) return []
  return [{ name: 'C++ std::mutex', measure: async () => Number(spawnSync(program, { encoding: 'utf8' }).stdout) }]
}

const PYTHON = `
import multiprocessing, time
def locked_count(value, times):
    for _ in range(times):
        with value.get_lock():
            value.value += 1
def run(times):
    value = multiprocessing.Value('i', 0)
    processes = [multiprocessing.Process(target=locked_count, args=(value, times)) for _ in range(${WORKERS})]
    start = time.perf_counter()
    for process in processes: process.start()
    for process in processes: process.join()
    assert value.value == ${WORKERS} * times
    return ${WORKERS} * times / (time.perf_counter() - start) / 1e6
def unlocked_count(value, times):
    for _ in range(times):
        value.value += 1
def unlocked():
    times = 200000
    value = multiprocessing.Value('i', 0, lock=False)
    processes = [multiprocessing.Process(target=unlocked_count, args=(value, times)) for _ in range(${WORKERS})]
    start = time.perf_counter()
    for process in processes: process.start()
    for process in processes: process.join()
    return ${WORKERS} * times / (time.perf_counter() - start) / 1e6
def locked(): return run(50000)
`

async function together(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-'))
  const python = startPython(PYTHON)
  const hows = ['plain ++', 'Atomics.add', 'Value.add', 'Lock', 'RLock', 'Semaphore(1)']
  const contenders = [
    ...hows.map((how) => contended(how, TIMES)),
    contended('multithreading Mutex', TIMES / 100),
    contended('async Lock', TIMES / 100),
    ...stdMutex(folder),
    ...(python
      ? [
          { name: 'Python Value, locked', measure: () => python.call('locked') },
          { name: 'Python Value, no lock (loses some)', measure: () => python.call('unlocked') },
        ]
      : []),
  ]
  console.log(`\n${WORKERS} threads: million increments per second`)
  const measured = await measure(contenders, ROUNDS)
  report(measured, 'M/s', measured.some(({ name }) => name === 'C++ std::mutex') ? 'C++ std::mutex' : 'Lock')
  python?.close()
  rmSync(folder, { recursive: true })
}

if (isMainThread) {
  await alone()
  await together()
}
