// What piscina loads in each thread of an executor, copied to dist as it is. Piscina loads files by `require`, which some
// loaders answer with a second copy of the package; from CommonJS, `import()` gives the one that the tasks' modules import.
// If it fails, the rejection ends the thread, as it should: a worker that cannot load breaks its executor.
const worker = import('./worker-pool.js')

module.exports = async (lease) => (await worker).default(lease)
