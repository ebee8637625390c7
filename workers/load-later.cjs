// Loads a chunk at its first use. A part of the chunk that all others have: see build.mjs. The texts of all chunks are in memory since
// the import, once for all threads: when a program first needs one, it may have no file descriptor left.
const { closeSync, fstatSync, openSync, readSync } = require('node:fs')
const Module = require('node:module')
const { join } = require('node:path')
const { getEnvironmentData, setEnvironmentData } = require('node:worker_threads')

/** Threads inherit the texts of their own version: another may be installed while a program runs. */
const KEY = `${__filename}@${PACKAGE_VERSION}`

/** The chunks, each after a line with its name: see build.mjs. */
const texts = Buffer.from(getEnvironmentData(KEY) ?? readTexts())

function readTexts() {
  const file = openSync(join(__dirname, 'later.txt'))
  const shared = new SharedArrayBuffer(fstatSync(file).size)
  readSync(file, new Uint8Array(shared))
  closeSync(file)
  setEnvironmentData(KEY, shared)
  return shared
}

function loadLater(name) {
  // Test runners evaluate what is required in a context of their own, with a `require` of their own.
  if (!(module instanceof Module)) return require(`./${name}.cjs`)
  const filename = join(__dirname, `${name}.cjs`)
  if (filename in require.cache) return require(filename)
  const head = `\n//@ ${name}\n`
  const start = texts.indexOf(head, 'latin1') + head.length
  const loading = new Module(filename, module)
  Object.assign(loading, { filename, paths: module.paths })
  require.cache[filename] = loading
  try {
    loading._compile(texts.latin1Slice(start, texts.indexOf('\n//@ ', start, 'latin1')), filename)
    loading.loaded = true
    return loading.exports
  } catch (reason) {
    delete require.cache[filename]
    throw reason
  }
}

module.exports = loadLater
