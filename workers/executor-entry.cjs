// What piscina loads in each thread of an executor, and what the first thread starts with. Copied to dist as it is.
const { setImmediate } = require('node:timers')
const { workerData } = require('node:worker_threads')

try {
  module.exports = require('./worker-executor.cjs').default
  if (workerData.first && require.main === module) {
    require(workerData.first.piscinaWorker)
    module.exports(workerData.first.ports)
  }
} catch (reason) {
  // A worker that cannot load ends, which breaks its executor. Not by an error here: piscina would try again by `import()`, and
  // take what that throws for an answer.
  setImmediate(() => { throw reason }) // prettier-ignore
  module.exports = () => new Promise(() => {})
}
