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

test.run()
