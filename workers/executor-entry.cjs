// What piscina loads in each thread of an executor, and what the first thread starts with. Copied to dist as it is.
const { setImmediate } = require('node:timers')
const { parentPort, receiveMessageOnPort, workerData } = require('node:worker_threads')

try {
  module.exports = require('./worker-executor.cjs').default
  if (workerData.first && require.main === module) startWithoutPiscina()
} catch (reason) {
  // A worker that cannot load ends, which breaks its executor. Not by an error here: piscina would try again by `import()`, and
  // take what that throws for an answer.
  setImmediate(() => { throw reason }) // prettier-ignore
  module.exports = () => new Promise(() => {})
}

function startWithoutPiscina() {
  module.exports(workerData.first)
  // The file that piscina's threads start with. Here before the first task, unless the main thread is very slow.
  const sent = receiveMessageOnPort(parentPort)
  if (sent) becomePiscinas(sent.message)
  else parentPort.once('message', becomePiscinas)
}

function becomePiscinas(file) {
  if (file === undefined) return
  try {
    require(file)
  } catch (reason) {
    // The file is missing: this version of piscina starts its threads with another one, and will not take this thread.
    if (reason?.code !== 'MODULE_NOT_FOUND') throw reason
  }
}
