// Loads URLs with four workers and prints, as they complete, the size of each page or the error.
//   node .build/examples/urls.js [url …]     default: four servers of its own: fast, slow, one that resets, one that does not exist
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { asCompleted, isMainThread, ProcessPoolExecutor, task } from 'manyhands'

const TIMEOUT_MS = 2000

const load = task(import.meta.url, async function load(url: string, timeoutMs: number) {
  const response = await fetch(url, { signal: AbortSignal.timeout(timeoutMs) })
  if (!response.ok) throw new Error(`${response.status} ${response.statusText}`)
  return (await response.arrayBuffer()).byteLength
})

async function loadAll(urls: string[]): Promise<void> {
  await using executor = new ProcessPoolExecutor({ maxWorkers: 4 })
  const urlOf = new Map(urls.map((url) => [executor.submit(load, url, TIMEOUT_MS), url]))
  for await (const future of asCompleted(urlOf.keys())) {
    const url = urlOf.get(future)
    try {
      console.log(`${url} has ${await future.result()} bytes`)
    } catch (error) {
      console.log(`${url} raised ${reasons(error as Error)}`)
    }
  }
}

/** The error and its causes, in one line. */
function reasons({ name, message, cause }: Error): string {
  return `${name}: ${message}${cause instanceof Error ? `, caused by ${reasons(cause)}` : ''}`
}

async function loadOwnServers(): Promise<void> {
  const listen = async (name: string, listener: RequestListener) => {
    const server = createServer(listener).listen(0, '127.0.0.1')
    await once(server, 'listening')
    return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/${name}` }
  }
  const servers = await Promise.all([
    listen('slow', (_, response) => setTimeout(() => response.end('too late'), 60_000).unref()),
    listen('fast', (_, response) => response.end('x'.repeat(12_345))),
    listen('reset', (request) => request.socket.resetAndDestroy()),
    listen('missing', () => {}),
  ])
  servers.at(-1)!.server.close()
  await loadAll(servers.map(({ url }) => url))
  for (const { server } of servers) server.close().closeAllConnections()
}

if (isMainThread) {
  const urls = process.argv.slice(2)
  await (urls.length > 0 ? loadAll(urls) : loadOwnServers())
}
