// Running a process, and reading what it posts.
import { Process, type ProcessOptions, type Target } from 'manyhands'
import { once } from 'node:events'
import { MessageChannel, receiveMessageOnPort, type MessagePort } from 'node:worker_threads'

/** Run a target with a port as its first argument. Resolves to what it has posted; rejects with the error that ends the process. */
export async function repliesOf(
  target: Target,
  args: unknown[] = [],
  options: Omit<ProcessOptions, 'target' | 'args'> = {},
): Promise<any[]> {
  const { port1, port2 } = new MessageChannel()
  const transfer = [port2, ...(options.transfer ?? [])]
  const process = new Process({ ...options, target, args: [port2, ...args], transfer }).start()
  await process.join()
  if (process.error !== undefined) throw process.error
  const replies: unknown[] = []
  for (let posted; (posted = receiveMessageOnPort(port1));) replies.push(posted.message)
  port1.close()
  return replies
}

/** As `repliesOf`, for a target that posts one message. */
export async function replyOf(...call: Parameters<typeof repliesOf>): Promise<any> {
  const replies = await repliesOf(...call)
  if (replies.length !== 1) throw new Error(`${replies.length} replies instead of one`)
  return replies[0]
}

/** Run a target to its end. Resolves to the process, which has ended. What it prints to stderr is not shown. */
export async function ended(target: Target, options: Omit<ProcessOptions, 'target'> = {}): Promise<Process> {
  const process = new Process({ ...options, target }).start()
  await quietly(() => process.join())
  return process
}

/** Run `fn`, and resolve to what is written to stderr meanwhile, which is not shown. */
export async function quietly(fn: () => unknown): Promise<string> {
  const { write } = process.stderr
  let written = ''
  process.stderr.write = (text: string | Uint8Array) => {
    written += String(text)
    return true
  }
  try {
    await fn()
  } finally {
    process.stderr.write = write
  }
  return written
}

/** Start a target with a port as its first argument, and wait for its first message. */
export async function startAndHear(
  target: Target,
  args: unknown[] = [],
  options: Omit<ProcessOptions, 'target' | 'args'> = {},
): Promise<{ process: Process; heard: any; port: MessagePort }> {
  const { port1: port, port2 } = new MessageChannel()
  const process = new Process({ ...options, target, args: [port2, ...args], transfer: [port2] }).start()
  const [heard] = (await once(port, 'message')) as unknown[]
  port.unref()
  return { process, heard, port }
}

/** Post a message, and then compute until the process is stopped. */
export const computeForEver: Target = (port: MessagePort) => {
  port.postMessage('computing')
  for (;;);
}
