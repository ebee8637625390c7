// What specs may reach beyond the public face. Built beside it, so that both share their modules; not part of the package.
export { decodeFailure, encodeFailure } from './task/failure.js'
export { isDead, markDead } from './memory/liveness.js'
export { makeShareable, pack, registerShareable, remember, unpack } from './memory/handles.js'
export { compileSource, describeSource } from './task/source.js'
