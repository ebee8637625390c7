// What piscina loads in each thread of an executor, copied to dist as it is.
const { setImmediate } = require('node:timers')

try {
  module.exports = require('./worker-executor.cjs').default
} catch (reason) {
  // A worker that cannot load ends, which breaks its executor. Not by an error here: piscina would try again by `import()`, and
  // take what that throws for an answer.
  setImmediate(() => { throw reason }) // prettier-ignore
  module.exports = () => new Promise(() => {})
}
