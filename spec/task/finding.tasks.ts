// Tasks for finding.spec.ts. Each answers through the port that it is given.
import { isMainThread, task, type Task } from 'manyhands'
import { fileURLToPath } from 'node:url'
import { threadId, type MessagePort } from 'node:worker_threads'

let calls = 0

export const byUrl: Task<[MessagePort, string]> = task(
  import.meta.url,
  function byUrl(port: MessagePort, text: string) {
    calls++
    port.postMessage({ text, calls, threadId })
  },
)

export const byMeta: Task<[MessagePort]> = task(import.meta, async function byMeta(port: MessagePort) {
  await Promise.resolve()
  port.postMessage('by import.meta')
})

export const byObject: Task<[MessagePort]> = task(new URL(import.meta.url), function byObject(port: MessagePort) {
  port.postMessage('by URL object')
})

export const byPath: Task<[MessagePort]> = task(fileURLToPath(import.meta.url), function byPath(port: MessagePort) {
  port.postMessage('by path')
})

export const byArrow: Task<[MessagePort]> = (() => {
  const named = (port: MessagePort) => port.postMessage('an arrow with the name of its variable')
  return task(import.meta.url, named)
})()

const secret = task(import.meta.url, function secret(port: MessagePort) {
  port.postMessage('not exported')
})

/** Gives callers a task that the module does not export. */
export function notExported(): Task<[MessagePort]> {
  return secret
}

export const onlyInMain: Task | undefined = isMainThread
  ? task(import.meta.url, function onlyInMain() {
      return 1
    })
  : undefined
