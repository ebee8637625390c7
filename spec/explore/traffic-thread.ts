// A thread of a simulated machine (traffic.ts): runs its part of one program after the other.
import { parentPort } from 'node:worker_threads'
import { loadBundle, type Controller } from './bundle.js'
import { Core } from './machine.js'
import { programs, type Job, type Program } from './traffic.js'

const unused = (): never => {
  throw new Error('not on a machine')
}

parentPort!.on('message', ({ program, handle, text, memory, threadId, threads, uses, phase, costs }: Job) => {
  const objects = handle.filter((part) => part instanceof SharedArrayBuffer)
  const core = new Core(memory, objects, threadId, threads, costs)
  const controller: Controller = Object.assign(core, {
    isDead: () => false,
    port: unused,
    enter: unused,
    exit: unused,
    point: unused,
    asleep: unused,
  })
  const { rebuild } = loadBundle(text)(controller)
  const shared = rebuild({ handle })
  core.arrive(phase)
  ;(programs[program] as Program<object>).run(shared, core, threads, uses)
  parentPort!.postMessage(core.leave())
})
