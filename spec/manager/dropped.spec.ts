import { WATCH_THREADS } from '../dropped.js'
import { assert, runProgram, suite } from '../harness.js'

const test = suite('a manager that is dropped without a shutdown')

const PRELUDE = `${WATCH_THREADS}
  import { Manager, Process } from 'manyhands'
  /** Collect for so many turns, or until no more threads than this are alive. */
  const collect = async (turns, most = -1) => {
    for (let i = 0; i < turns && alive > most; i++) {
      gc()
      await turn()
    }
    return alive
  }
`

test('gives its thread back, and warns once', async () => {
  const { code, stdout, stderr } = await runProgram(`${PRELUDE}
    const drop = async () => {
      const manager = await Manager.start()
      const dict = manager.dict({ a: 1 })
      await dict.set('b', 2)
      for await (const entry of dict);
      await manager.list([1, 2]).push(3)
    }
    for (let i = 0; i < 3; i++) await drop()
    // The last may still lie on the stack.
    console.log((await collect(2000, 1)) <= 1, warnings)
  `)
  assert.equal([code, stdout], [0, "true [ 'MANYHANDS_NOT_SHUT_DOWN' ]\n"], stderr)
})

test('lives on while somebody has a proxy', async () => {
  const { code, stdout, stderr } = await runProgram(`${PRELUDE}
    const dictOf = async () => (await Manager.start()).dict({ a: 1 })
    const dict = await dictOf()
    await collect(40)
    console.log(alive, await dict.get('a'), warnings)
    const use = async (list) => {
      await new Promise((resolve) => setTimeout(resolve, 400))
      await list.push(1)
      console.log(await list.length)
    }
    const start = async () => new Process({ target: use, args: [(await Manager.start()).list()] }).start()
    const child = await start()
    await collect(60)
    await child.join()
    console.log(child.exitcode)
  `)
  assert.equal([code, stdout], [0, "1 1 [ 'MANYHANDS_NOT_SHUT_DOWN' ]\n1\n0\n"], stderr)
})

test('answers the calls that it has got', async () => {
  const { code, stdout, stderr } = await runProgram(`${PRELUDE}
    const slow = () => new Promise((resolve) => setTimeout(resolve, 300, [1, 2]))
    const call = async () => (await Manager.start()).dict({ a: 1 }).update('a', slow)
    const answer = call()
    const collecting = setInterval(gc, 5)
    console.log(await answer)
    clearInterval(collecting)
    console.log(await collect(2000, 0))
  `)
  assert.is(code, 0, stderr)
  assert.match(stdout, /\n0\n$/, stdout + stderr)
})

test('and had been shut down does not warn', async () => {
  const { stdout, stderr } = await runProgram(`${PRELUDE}
    for (let i = 0; i < 3; i++) await (await Manager.start()).shutdown()
    await collect(20)
    console.log(alive, warnings)
  `)
  assert.is(stdout, '0 []\n', stderr)
})

test.run()
