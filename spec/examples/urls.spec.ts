import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { assert, runNode, suite } from '../harness.js'

const test = suite('the urls example')
const program = '.build/examples/urls.js'

test('prints the byte count of each page, or the error that it raised, as they complete', async () => {
  const { code, stdout, stderr } = await runNode([program])
  assert.is(stderr, '')
  assert.is(code, 0)
  const lines = stdout.trimEnd().split('\n')
  const said = new Map(
    lines.map((line) => /^http:\/\/127\.0\.0\.1:\d+\/(\w+) (.*)$/.exec(line)!.slice(1) as [string, string]),
  )
  assert.equal([...said.keys()].toSorted(), ['fast', 'missing', 'reset', 'slow'])
  assert.is(said.get('fast'), 'has 12345 bytes')
  assert.match(said.get('missing')!, /^raised TypeError: fetch failed, caused by Error: .*ECONNREFUSED/)
  assert.match(said.get('reset')!, /^raised TypeError: fetch failed, caused by .*(ECONNRESET|other side closed)/)
  assert.match(said.get('slow')!, /^raised TimeoutError: The operation was aborted due to timeout/)
  // Submitted first, and the last to complete.
  assert.is([...said.keys()].at(-1), 'slow')
})

test('loads the URLs of its command line instead', async () => {
  const server = createServer((request, response) => {
    if (request.url === '/none') response.writeHead(404)
    response.end('äöü')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const { code, stdout } = await runNode([program, `${url}/page`, `${url}/none`])
  server.close()
  assert.is(code, 0)
  assert.equal(stdout.trimEnd().split('\n').toSorted(), [
    `${url}/none raised Error: 404 Not Found`,
    `${url}/page has 6 bytes`,
  ])
})

test.run()
