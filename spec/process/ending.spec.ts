import { Process, type Target } from 'manyhands'
import type { MessagePort } from 'node:worker_threads'
import { assert, runProgram, suite } from '../harness.js'
import { ended, quietly, repliesOf, startAndHear } from './replies.js'
import { leaveChild } from './process.tasks.js'

const test = suite('how a process ends')

/** The exit code, seen by a caller that waits for it blocked or not; both must be the same. */
async function exitcodeOf(target: Target): Promise<number | null> {
  const other = new Process({ target }).start()
  await quietly(() => other.joinSync())
  const { exitcode } = await ended(target)
  assert.is(other.exitcode, exitcode)
  return exitcode
}

test('exitcode is 0 after a normal return, and after a returned promise', async () => {
  assert.is(await exitcodeOf(() => {}), 0)
  assert.is(await exitcodeOf(() => 5), 0)
  assert.is(await exitcodeOf(() => () => 'not cloneable'), 0)
  assert.is(await exitcodeOf(async () => Symbol('not cloneable either')), 0)
  assert.is(await exitcodeOf(() => new Promise((resolve) => setTimeout(resolve, 5))), 0)
})

test('exitcode is n after process.exit(n), wherever that is called', async () => {
  assert.is(await exitcodeOf(() => process.exit(0)), 0)
  assert.is(await exitcodeOf(() => process.exit(7)), 7)
  assert.is(await exitcodeOf(() => void setTimeout(() => process.exit(255), 1)), 255)
  assert.is(
    await exitcodeOf(async () => {
      await Promise.resolve()
      process.exit(3)
    }),
    3,
  )
})

test('exitcode is process.exitCode where the target sets it', async () => {
  assert.is(
    await exitcodeOf(() => {
      process.exitCode = 9
    }),
    9,
  )
})

test('exitcode is the code that the last exit handler leaves', async () => {
  assert.is(
    await exitcodeOf(() => {
      process.on('exit', () => {
        process.exitCode = 5
      })
    }),
    5,
  )
  assert.is(await exitcodeOf(() => void process.on('exit', () => process.exit(6))), 6)
  assert.is(
    await exitcodeOf(() => {
      process.on('exit', () => {
        process.exitCode = 8
      })
      process.exit(7)
    }),
    8,
  )
  assert.is(
    await exitcodeOf(() => {
      process.on('exit', () => {
        throw new Error('in an exit handler')
      })
    }),
    1,
  )
})

test('exitcode is 1 after an uncaught error of any kind', async () => {
  const targets: Target[] = [
    () => {
      throw new Error('thrown')
    },
    async () => {
      throw new Error('rejected')
    },
    () => void Promise.reject(new Error('unhandled')),
    () =>
      void setTimeout(() => {
        throw new Error('in a timer')
      }, 1),
    () => {
      throw undefined
    },
  ]
  for (const target of targets) assert.is(await exitcodeOf(target), 1, String(target))
})

test('a process keeps its uncaught error, which is printed once under its name', async () => {
  const process = new Process({
    name: 'thrower',
    target: () => {
      throw Object.assign(new RangeError('no good'), { code: 'EGOOD' })
    },
  })
  assert.is(process.error, undefined)
  const printed = await quietly(() => process.start().join())
  assert.instance(process.error, RangeError)
  assert.match(printed, /^Process thrower:\nRangeError: no good\n {4}at /)
  assert.match(printed, "code: 'EGOOD'")
  assert.is(printed.split('no good').length, 2)
})

test('a process keeps its uncaught error for joinSync, too', async () => {
  const process = new Process({
    target: () => {
      throw new RangeError('no good')
    },
  }).start()
  const printed = await quietly(() => process.joinSync())
  assert.is((process.error as Error).message, 'no good')
  assert.match(printed, `Process ${process.name}:\nRangeError: no good`)
  assert.is(await quietly(() => process.join()), '')
})

test('a process has no error after a normal end, process.exit, or an error that it handled', async () => {
  const targets: Target[] = [
    () => {},
    () => process.exit(1),
    () => {
      process.on('uncaughtException', () => {})
      throw new Error('handled')
    },
    () => {
      process.on('uncaughtException', () => process.exit(4))
      throw new Error('handled')
    },
  ]
  const printed = await quietly(async () => {
    for (const target of targets) {
      const process = new Process({ target }).start()
      await process.join()
      assert.is(process.error, undefined, String(target))
    }
  })
  assert.is(printed, '')
})

test('an error in an exit handler after an uncaught error ends the process, and not the program', async () => {
  const { code, stdout, stderr } = await runProgram(`
    import { Process } from 'manyhands'
    const child = new Process({ target: () => {
      process.on('exit', () => { throw new Error('second') })
      throw new Error('first')
    } }).start()
    await child.join()
    console.log(child.exitcode === 0, child.error.message)`)
  assert.is(code, 0, stderr)
  assert.match(stdout, /^false first/)
})

test('a process that runs out of memory ends with 1 and an error that says so', async () => {
  const target = () => {
    const hoard: unknown[] = []
    for (;;) hoard.push(Array.from({ length: 1000 }, () => ({})))
  }
  const resourceLimits = { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 2 }
  const { exitcode, error } = await ended(target, { resourceLimits })
  assert.is(exitcode, 1)
  assert.is((error as NodeJS.ErrnoException).code, 'ERR_WORKER_OUT_OF_MEMORY')
  const blocked = new Process({ target, resourceLimits }).start()
  blocked.joinSync()
  assert.is(blocked.exitcode, 1)
  await quietly(() => new Promise((resolve) => setImmediate(() => setImmediate(resolve))))
})

test('a process does not end before its event loop has nothing left', async () => {
  const target = (port: MessagePort) => {
    setTimeout(() => {
      port.postMessage('timer')
      setImmediate(() => port.postMessage('immediate'))
    }, 30)
    port.postMessage('returned')
  }
  assert.equal(await repliesOf(target), ['returned', 'timer', 'immediate'])
})

test('a process does not end while it listens to a port', async () => {
  const target = (port: MessagePort) => {
    port.on('message', () => port.close())
    port.postMessage('listening')
  }
  const { process, port } = await startAndHear(target)
  await process.join(60)
  assert.is(process.isAlive(), true)
  port.postMessage('close')
  await process.join()
  assert.is(process.exitcode, 0)
})

test('a process does not end before its children, except for daemons', async () => {
  assert.equal(await repliesOf(leaveChild, [{ daemon: false }]), ['child ends'])
  assert.equal(await repliesOf(leaveChild, [{ daemon: true }]), [])
})

test('timers that are unreferenced do not keep a process from ending', async () => {
  const { exitcode } = await ended(() => {
    setTimeout(() => process.exit(5), 100_000).unref()
  })
  assert.is(exitcode, 0)
})

test('a target whose promise never settles keeps the process from ending', async () => {
  const { process } = await startAndHear((port: MessagePort) => {
    port.postMessage('waiting')
    return new Promise<void>(() => {})
  })
  await process.join(50)
  assert.is(process.exitcode, null)
  process.terminate()
  await process.join()
  assert.is(process.exitcode, -15)
})

test('an error that nobody handled is kept, whatever an exit handler makes of the exit code', async () => {
  for (const target of [
    () => {
      process.on('exit', () => (process.exitCode = 13))
      throw new Error('boom')
    },
    () => {
      process.on('exit', () => (process.exitCode = 13))
      setTimeout(() => {
        throw new Error('boom')
      })
    },
  ]) {
    const child = new Process({ target }).start()
    await child.join()
    assert.equal([child.exitcode, (child.error as Error)?.message], [13, 'boom'])
  }
})

test.run()
