// For programs that drop what has threads: they collect garbage until the threads are gone.

/** The beginning of such a program. `alive` counts its threads, `warnings` the codes of what was warned of. */
export const WATCH_THREADS = `
  import { setFlagsFromString } from 'node:v8'
  import { runInNewContext } from 'node:vm'
  setFlagsFromString('--expose-gc')
  const gc = runInNewContext('gc')
  const turn = () => new Promise((resolve) => setTimeout(resolve, 5))
  let alive = 0
  process.on('worker', (worker) => {
    alive++
    worker.once('exit', () => alive--)
  })
  const warnings = []
  process.on('warning', ({ code }) => warnings.push(code))
`
