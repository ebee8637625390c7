// Running a process to its end, and what it posted meanwhile.
import { Process, type ProcessOptions, type Target } from 'manyhands'
import { once } from 'node:events'
import { MessageChannel, receiveMessageOnPort, type MessagePort } from 'node:worker_threads'

/**
 * What a target posts to the port that it gets as its first argument, in order. Fails with the error that ends the process.
 */
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
  for (let letter; (letter = receiveMessageOnPort(port1));) replies.push(letter.message)
  port1.close()
  return replies
}

/** The only thing that it posts. */
export async function replyOf(...call: Parameters<typeof repliesOf>): Promise<any> {
  const replies = await repliesOf(...call)
  if (replies.length !== 1) throw new Error(`${replies.length} replies instead of one`)
  return replies[0]
}

/** Run a target to its end and give the process that has ended. What it prints to stderr is not shown. */
export async function ended(target: Target, options: Omit<ProcessOptions, 'target'> = {}): Promise<Process> {
  const process = new Process({ ...options, target }).start()
  await quietly(() => process.join())
  return process
}

/** What is written to stderr while `fn` runs. It is kept from the terminal. */
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

/** Start a target with a port as its first argument, and wait for the first thing that it posts there. */
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

/** Say that it runs, and then use all of a core until it is ended. */
export const computeForEver: Target = (port: MessagePort) => {
  port.postMessage('computing')
  for (;;);
}
