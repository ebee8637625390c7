// What does a method call on a managed object cost, one after the other and pipelined? Beside raw comlink over a MessagePort, on which
// the proxies are built, and Python's Manager().dict(). In calls per second: more is better.
import { wrap } from 'comlink'
import { Manager } from 'manyhands'
import { MessageChannel, Worker } from 'node:worker_threads'
import { measure, report, type Contender } from './measure.js'
import { startPython } from './python.js'

const ROUNDS = 7
const CALLS = 4000
/** Calls under way at the same time. */
const PIPELINED = 500

const RAW = `
  const { workerData } = require('node:worker_threads')
  const { expose } = require('comlink')
  expose(new Map([['a', 1]]), workerData)
`

const PYTHON = `
import time
from multiprocessing import Manager

shared = None

def calls():
    global manager, shared
    if shared is None:
        manager = Manager()
        shared = manager.dict({'a': 1})
        shared.get('a')
    begun = time.perf_counter()
    for _ in range(${CALLS}):
        shared.get('a')
    return ${CALLS} / (time.perf_counter() - begun)
`

type Get = () => Promise<unknown>

async function sequential(get: Get): Promise<number> {
  const begun = performance.now()
  for (let i = 0; i < CALLS; i++) await get()
  return (CALLS * 1000) / (performance.now() - begun)
}

async function pipelined(get: Get): Promise<number> {
  const begun = performance.now()
  for (let i = 0; i < CALLS; i += PIPELINED) await Promise.all(Array.from({ length: PIPELINED }, get))
  return (CALLS * 1000) / (performance.now() - begun)
}

const manager = await Manager.start()
const dict = manager.dict({ a: 1 })
const { port1, port2 } = new MessageChannel()
const worker = new Worker(RAW, { eval: true, workerData: port2, transferList: [port2] })
const raw = wrap<Map<string, number>>(port1)
const python = startPython(PYTHON)

const contenders: Contender[] = [
  { name: 'manager, one after the other', measure: () => sequential(() => dict.get('a')) },
  { name: 'comlink, one after the other', measure: () => sequential(() => raw.get('a')) },
  { name: 'manager, pipelined', measure: () => pipelined(() => dict.get('a')) },
  { name: 'comlink, pipelined', measure: () => pipelined(() => raw.get('a')) },
]
if (python) contenders.push({ name: "Python's Manager().dict()", measure: () => python.call('calls') })

for (const { measure: warmUp } of contenders) await warmUp()
report(await measure(contenders, ROUNDS), 'calls per second', 'comlink, one after the other')

python?.close()
port1.close()
await worker.terminate()
await manager.shutdown()
