// The thread of a manager. See lib/manager/host.ts.
import { MessageChannel, parentPort, threadId, workerData, type MessagePort } from 'node:worker_threads'
import { connect } from '../lib/manager/client.js'
import { Host } from '../lib/manager/host.js'
import '../lib/index.js' // registers the classes of shareable arguments
import type { Identity } from '../lib/process/control-block.js'
import { becomeProcess } from '../lib/process/current-process.js'
import { postOutput } from '../lib/thread/output.js'

const { identity, port, output } = workerData as { identity: Identity; port: MessagePort; output: MessagePort }
postOutput(output)
becomeProcess(identity)
// Proxies of its own objects reach the manager through a port, as those in any other thread do.
const { port1, port2 } = new MessageChannel()
new Host(threadId, port1, () => process.exit()).admit(port)
connect(threadId, identity.name, port2)
parentPort!.on('message', () => {}) // holds the thread open until it is terminated, or its parent ends
