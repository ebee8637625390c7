import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { assert, runProgram, suite } from '../harness.js'

const test = suite('what processes write')

test('output reaches the parent whole and in order, from several processes at once', async () => {
  const { stdout, stderr, code } = await runProgram(`
    import { Process } from 'manyhands'
    const target = (name) => {
      for (let i = 0; i < 2000; i++) console.log(name + ' ' + i + ' ' + 'x'.repeat(i % 100))
      console.error(name + ' is done')
      process.stdout.write(name + ' end\\n')
    }
    const children = ['a', 'b', 'c'].map((name) => new Process({ target, args: [name] }).start())
    await Promise.all(children.map((child) => child.join()))`)
  assert.is(code, 0)
  for (const name of ['a', 'b', 'c']) {
    const lines = stdout.split('\n').filter((line) => line.startsWith(name))
    assert.is(lines.length, 2001)
    assert.ok(lines.slice(0, 2000).every((line, i) => line === `${name} ${i} ${'x'.repeat(i % 100)}`))
    assert.is(lines[2000], `${name} end`)
    assert.match(stderr, `${name} is done\n`)
  }
})

test('large output arrives whole', async () => {
  const { stdout } = await runProgram(`
    import { Process } from 'manyhands'
    const target = () => { process.stdout.write('x'.repeat(3_000_000)); process.exit(0) }
    await new Process({ target }).start().join()`)
  assert.is(stdout.length, 3_000_000)
})

test('output arrives while the process computes', async () => {
  const { stdout, code } = await runProgram(`
    import { Process } from 'manyhands'
    const { write } = process.stdout
    const child = new Process({ target: () => { console.log('one'); console.log('two'); console.log('three'); for (;;); } }).start()
    let seen = ''
    process.stdout.write = function (chunk, ...rest) {
      seen += chunk
      if (seen.includes('three')) child.kill()
      return write.call(this, chunk, ...rest)
    }
    await child.join()
    console.log(child.exitcode)`)
  assert.is(stdout, 'one\ntwo\nthree\n-9\n')
  assert.is(code, 0)
})

test('output is not lost when the process is ended right after', async () => {
  for (const end of ['terminate', 'kill']) {
    const { stdout } = await runProgram(`
      import { Process } from 'manyhands'
      const words = new Int32Array(new SharedArrayBuffer(4))
      const child = new Process({ target: (words) => {
        for (let i = 0; i < 500; i++) console.log('line ' + i)
        Atomics.store(words, 0, 1)
        Atomics.notify(words, 0)
        for (;;);
      }, args: [words] }).start()
      Atomics.wait(words, 0, 0)
      child.${end}()
      await child.join()`)
    assert.is(stdout, Array.from({ length: 500 }, (_, i) => `line ${i}\n`).join(''))
  }
})

test('output is not lost when the parent was blocked until the end', async () => {
  const { stdout, stderr } = await runProgram(`
    import { Process } from 'manyhands'
    const child = new Process({ target: () => { console.log('x'.repeat(500_000)); console.error('error'); throw new Error('end') } }).start()
    child.joinSync()
    console.log(child.exitcode)`)
  assert.is(stdout.length, 500_003)
  assert.match(stderr, 'error\n')
  assert.match(stderr, 'Process Process-1:\nError: end')
})

test('output of children of children arrives', async () => {
  const { stdout } = await runProgram(`
    import { Process } from 'manyhands'
    await new Process({ target: async () => {
      const { Process } = await import('manyhands')
      for (const i of [1, 2, 3]) {
        await new Process({ target: (i) => { for (let k = 0; k < 3; k++) console.log(i + ' ' + k) }, args: [i] }).start().join()
      }
      console.log('parent')
    } }).start().join()`)
  assert.is(stdout, '1 0\n1 1\n1 2\n2 0\n2 1\n2 2\n3 0\n3 1\n3 2\nparent\n')
})

test('a write to stdout calls back, without a warning', async () => {
  const { stdout, stderr } = await runProgram(
    `
    import { Process } from 'manyhands'
    await new Process({ target: async () => {
      for (let i = 0; i < 50; i++) await new Promise((resolve) => process.stdout.write(i + ' ', resolve))
      console.log(process.exitCode, process._exiting)
    } }).start().join()`,
    ['--trace-warnings'],
  )
  assert.is(stdout, Array.from({ length: 50 }, (_, i) => `${i} `).join('') + 'undefined false\n')
  assert.is(stderr, '')
})

test('a program that exits right after joinSync loses nothing', async () => {
  const { stdout, stderr } = await runProgram(`
    import { Process } from 'manyhands'
    const target = async () => {
      const { Process } = await import('manyhands')
      new Process({ target: () => { for (let i = 0; i < 300; i++) console.log('grandchild ' + i) } }).start().joinSync()
      for (let i = 0; i < 300; i++) console.log('child ' + i)
      console.error('child error')
      process.exit(0)
    }
    new Process({ target }).start().joinSync()
    process.exit()`)
  const lines = ['grandchild', 'child'].flatMap((name) => Array.from({ length: 300 }, (_, i) => `${name} ${i}\n`))
  assert.is(stdout, lines.join(''))
  assert.match(stderr, 'child error\n')
})

// Nobody reads until the process has printed all: 2 MB, of which a pipe or a socket takes a tenth.
test('joinSync waits for a reader that is behind, and no longer than its time', async () => {
  const target = `() => {
    for (let i = 0; i < 20_000; i++) console.log(i + ' ' + 'x'.repeat(94))
    console.error('printed')
  }`
  for (const [time, isWhole] of [
    ['', true],
    ['50', false],
  ] as const) {
    const program = spawn(
      process.execPath,
      [
        '--input-type=module',
        '--eval',
        `import { Process } from 'manyhands'
        new Process({ target: ${target} }).start().joinSync(${time})
        console.error('joined')
        process.exit()`,
      ],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    )
    let told = ''
    for await (const text of program.stderr) if ((told += String(text)).includes(isWhole ? 'printed' : 'joined')) break
    let stdout = ''
    for await (const text of program.stdout) stdout += String(text)
    const lines = Array.from({ length: 20_000 }, (_, i) => `${i} ${'x'.repeat(94)}\n`).join('')
    assert.is(stdout === lines, isWhole)
    assert.ok(lines.startsWith(stdout))
  }
})

test('a program that exits while its workers live loses nothing that they have printed', async () => {
  const { stdout } = await runProgram(`
    import { ProcessPoolExecutor } from 'manyhands'
    const executor = new ProcessPoolExecutor({ maxWorkers: 2 })
    await executor.submit(() => { for (let i = 0; i < 100; i++) console.log('task ' + i) })
    process.exit()`)
  assert.is(stdout, Array.from({ length: 100 }, (_, i) => `task ${i}\n`).join(''))
})

test('a parent that blocks in joinSync writes what the process prints, as it prints it', async () => {
  const program = spawn(
    process.execPath,
    [
      '--input-type=module',
      '--eval',
      `import { Process } from 'manyhands'
      new Process({ target: async () => {
        const { existsSync } = process.getBuiltinModule('fs')
        console.log('printed')
        while (process.env.MARK && !existsSync(process.env.MARK));
      } }).start().joinSync()`,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, MARK: '/nowhere' } },
  )
  const [seen] = (await once(program.stdout, 'data')) as [Buffer] // Else the spec's time limit ends it.
  program.kill()
  await once(program, 'close')
  assert.is(String(seen), 'printed\n')
})

// Some 30 MB: several times what may be under way.
const FLOOD = `async () => {
  const { once } = process.getBuiltinModule('events')
  const chunk = 'x'.repeat(65_535) + '\\n'
  let refused = 0
  for (let i = 0; i < 500; i++) if (!process.stdout.write(chunk)) refused++, await once(process.stdout, 'drain')
  for (let i = 0; i < 100; i++) await new Promise((resolve) => process.stdout.write(chunk, resolve))
  console.error(refused > 10)
}`

test('a process that waits for drain ends, whatever its parent does meanwhile', async () => {
  for (const wait of ['await child.join()', 'child.joinSync()', `queue.getSync(); await child.join()`]) {
    const { stdout, stderr, code } = await runProgram(`
      import { Process, Queue } from 'manyhands'
      const queue = new Queue()
      const flood = ${wait.startsWith('queue') ? FLOOD.replaceAll('500', '60').replace('100', '9') : FLOOD}
      const target = new Function('return async (queue) => { await (' + flood + ')(); queue.putSync(1) }')()
      const child = new Process({ target, args: [queue] }).start()
      ${wait}`)
    assert.is(stderr.replace('false', 'true'), 'true\n')
    assert.is(stdout.length, (wait.startsWith('queue') ? 69 : 600) * 65_536)
    assert.is(code, 0)
  }
})

test('a writer that does not wait for drain loses nothing', async () => {
  const { stdout } = await runProgram(`
    import { Process } from 'manyhands'
    const child = new Process({ target: () => {
      for (let i = 0; i < 200; i++) process.stdout.write(Buffer.alloc(65_536, String(i % 10)))
      process.stdout.write('616263', 'hex')
      process.exit(0)
    } }).start()
    await child.join()`)
  assert.is(stdout.length, 200 * 65_536 + 3)
  for (let i = 0; i < 200; i++) assert.is(stdout[i * 65_536 + 65_535], String(i % 10))
  assert.match(stdout, /abc$/)
})

if (process.platform === 'linux')
  test('a program whose reader pauses holds little of what its workers print', async () => {
    for (const start of ['new Process({ target: flood }).start().join()', 'executor.submit(flood)']) {
      const source = `
        import { Process, ProcessPoolExecutor } from 'manyhands'
        const flood = ${FLOOD.replace('500', '3000')}
        const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
        await ${start}
        await executor.shutdown()`
      const program = spawn(process.execPath, ['--input-type=module', '--eval', source], {
        stdio: ['ignore', 'pipe', 'ignore'],
      })
      await once(program.stdout, 'readable')
      const heldMb = () => Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${program.pid}/status`, 'utf8'))![1]) / 1024
      // The writer has stopped when the program holds no more than a moment ago.
      for (let before = -1; before < heldMb();) {
        before = heldMb()
        await new Promise((resolve) => setTimeout(resolve, 700))
      }
      assert.ok(heldMb() < 160, `${heldMb()} MB`)
      let bytes = 0
      program.stdout.on('data', (chunk: Buffer) => (bytes += chunk.length))
      await once(program, 'close')
      assert.is(bytes, 3100 * 65_536)
    }
  })

test('twenty workers print without a warning', async () => {
  const { stdout, stderr } = await runProgram(`
    import { Process } from 'manyhands'
    const target = () => { for (let i = 0; i < 50; i++) console.log('x'.repeat(9999)) }
    await Promise.all(Array.from({ length: 20 }, () => new Process({ target }).start().join()))`)
  assert.is(stderr, '')
  assert.is(stdout.length, 20 * 50 * 10_000)
})

test.run()
