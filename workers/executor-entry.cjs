// What piscina loads in each thread of an executor, copied to dist as it is. Piscina loads files by `require`, which some
// loaders answer with a second copy of the package; from CommonJS, `import()` gives the one that the tasks' modules import.
const { setImmediate } = require('node:timers')

const worker = import('./worker-executor.js')

// A worker that cannot load ends, which breaks its executor. Not by a rejection: piscina would take that for an answer.
worker.catch((reason) => setImmediate(() => { throw reason })) // prettier-ignore

module.exports = async (start) => (await worker).default(start)
