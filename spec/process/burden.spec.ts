import { assert, runProgram, suite } from '../harness.js'

const test = suite('what processes leave behind')

test('300 processes that have started and ended leave no handle, listener, warning, or growth of memory', async () => {
  const { stdout, stderr, code } = await runProgram(
    `
    import { activeChildren, Process } from 'manyhands'
    const target = (n) => { if (n % 7 === 0) process.exit(3); if (n % 5 === 0) console.log(''); return n }
    const listeners = () => process.eventNames().map((name) => String(name) + ':' + process.listenerCount(name)).sort().join()
    const idle = () => new Promise((resolve) => setTimeout(resolve, 150))
    const measure = async () => {
      await idle()
      gc()
      await idle()
      gc()
      const handles = process.getActiveResourcesInfo().filter((name) => name !== 'Timeout').sort().join()
      const { heapUsed, rss } = process.memoryUsage()
      return { handles, listeners: listeners(), heapUsed, rss }
    }
    const run = async (count) => {
      for (let i = 0; i < count; i += 10) {
        const children = Array.from({ length: 10 }, (_, k) => new Process({ target, args: [i + k] }).start())
        children[0].terminate({ grace: 5000 })
        for (const [k, child] of children.entries()) {
          if (k % 4 === 0) child.joinSync()
          else if (k % 4 === 1) await child.join({ timeout: 60_000, signal: new AbortController().signal })
          else if (k % 4 === 2) { child.kill(); await child.join() }
          else await child.join()
        }
      }
    }
    await run(20)
    const before = await measure()
    await run(300)
    const after = await measure()
    process._rawDebug(JSON.stringify({
      handles: [before.handles, after.handles],
      listeners: [before.listeners, after.listeners],
      heap: after.heapUsed - before.heapUsed,
      rss: after.rss - before.rss,
      active: activeChildren().length,
    }))`,
    ['--expose-gc', '--trace-warnings'],
  )
  assert.is(code, 0)
  assert.is(stdout.trim(), '')
  const { handles, listeners, heap, rss, active } = JSON.parse(stderr) as {
    handles: [string, string]
    listeners: [string, string]
    heap: number
    rss: number
    active: number
  }
  assert.is(handles[1], handles[0])
  assert.is(listeners[1], listeners[0])
  assert.is(active, 0)
  assert.ok(heap < 750e3, `the heap has grown by ${heap} bytes`)
  assert.ok(rss < 60e6, `the program has grown by ${rss} bytes`)
})

test.run()
