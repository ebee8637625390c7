import { assert, runNode, suite } from '../harness.js'

const test = suite('the process example')
const program = '.build/examples/process.js'

interface Line {
  seconds: number
  message: string
}

/** The log lines `HH:MM:SS: message`; fails if a line has another form. */
function logLines(stdout: string): Line[] {
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => {
      const [, hours, minutes, seconds, message] = /^(\d\d):(\d\d):(\d\d): (.+)$/.exec(line) ?? []
      assert.ok(message, `not a log line: ${line}`)
      return { seconds: Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds), message }
    })
}

function messagesOf(lines: Line[], who: string): string[] {
  return lines.map(({ message }) => message).filter((message) => message.startsWith(who))
}

test('logs around a process that takes three seconds, which is not alive once joined', async () => {
  const { code, stdout, stderr } = await runNode([program])
  assert.is(stderr, '')
  assert.is(code, 0)
  const lines = logLines(stdout)
  assert.equal(messagesOf(lines, 'main'), [
    'main: before creating the process',
    'main: before starting the process',
    'main: the process runs, alive: true',
    'main: waiting for the process to end',
    'main: done, alive: false, exitcode: 0',
  ])
  assert.equal(messagesOf(lines, 'Process-1'), ['Process-1 starts', 'Process-1 ends'])
  assert.is(lines.length, 7)
  assert.is(lines.at(-1)!.message, 'main: done, alive: false, exitcode: 0')
  const secondsAt = (message: string) => lines.find((line) => line.message === message)!.seconds
  const slept = (secondsAt('Process-1 ends') - secondsAt('Process-1 starts') + 86_400) % 86_400
  assert.ok(slept >= 2, `${slept} s by whole seconds`)
})

test('ends a terminated process before its time, with exit code -15', async () => {
  const { code, stdout, stderr } = await runNode([program, 'terminate'])
  assert.is(stderr, '')
  assert.is(code, 0)
  const lines = logLines(stdout)
  assert.equal(messagesOf(lines, 'main'), [
    'main: before creating the process',
    'main: before starting the process',
    'main: the process runs, alive: true',
    'main: terminating the process',
    'main: waiting for the process to end',
    'main: done, alive: false, exitcode: -15',
  ])
  assert.not.ok(stdout.includes('Process-1 ends'))
})

test.run()
