// The thread of a manager: the objects, and the threads that use them. See lib/manager/host.ts.
import { MessageChannel, parentPort, threadId, workerData, type MessagePort } from 'node:worker_threads'
import { connect } from '../lib/manager/client.js'
import { Host } from '../lib/manager/host.js'
import '../lib/index.js' // The classes of what is to be rebuilt.
import type { Identity } from '../lib/process/control-block.js'
import { becomeProcess } from '../lib/process/current-process.js'
import { postOutputAtOnce } from '../lib/thread/output.js'

const { identity, port } = workerData as { identity: Identity; port: MessagePort }
postOutputAtOnce()
becomeProcess(identity)
// The proxies of its own objects that the manager is handed, reach it as those of any thread do.
const { port1, port2 } = new MessageChannel()
new Host(threadId, port1).admit(port)
connect(threadId, identity.name, port2)
parentPort!.on('message', () => {}) // It ends with the thread that started it, not before.
