import { Process, ProcessPoolExecutor } from 'manyhands'
import { compileSource, describeSource } from '#internals'
import { transformSync } from 'esbuild'
import { runInNewContext, runInThisContext } from 'node:vm'
import type { MessagePort } from 'node:worker_threads'
import { assert, runProgram, suite, thrownBy } from '../harness.js'
import { ended, replyOf } from '../process/replies.js'

const test = suite('functions sent by their source')

/** The function as a worker has it. */
const compiled = (fn: Function) => compileSource(structuredClone(describeSource(fn)))

test('a process runs arrow functions, functions, async functions and methods by their source', async () => {
  const methods = {
    shorthand(port: MessagePort, n: number) {
      port.postMessage(n)
    },
    async later(port: MessagePort, n: number) {
      await Promise.resolve()
      port.postMessage(n)
    },
  }
  const arrow = (port: MessagePort, n: number) => port.postMessage(n)
  const single = async (port: MessagePort, n: number) => port.postMessage(n)
  function declared(port: MessagePort, n: number) {
    port.postMessage(n)
  }
  const targets = [
    arrow,
    single,
    declared,
    methods.shorthand,
    methods.later,
    async function (port: MessagePort, n: number) {
      port.postMessage(await Promise.resolve(n))
    },
  ]
  assert.equal(await Promise.all(targets.map((target, i) => replyOf(target, [i]))), [0, 1, 2, 3, 4, 5])
})

test('every form of function is compiled from its source', async () => {
  const key = Symbol('key')
  class Tool {
    static fixed(n: number) {
      return n + 1
    }
    plain(n: number) {
      return n + 1
    }
  }
  const odd = {
    get(n: number) {
      return n + 1
    },
    async(n: number) {
      return n + 1
    },
    function(n: number) {
      return n + 1
    },
    class(n: number) {
      return n + 1
    },
    static(n: number) {
      return n + 1
    },
    'not a name'(n: number) {
      return n + 1
    },
    7(n: number) {
      return n + 1
    },
    [Symbol.iterator](n: number) {
      return n + 1
    },
    arrow: (n: number) => n + 1,
    // prettier-ignore
    bare: runInThisContext('n => n + 1') as (n: number) => number,
    comments: function /* one */ named(/* two */ n: number) /* three */ {
      return n + 1 // four
    },
    late: async (n: number) => n + 1,
    text: (n: number) => n + ')}`${'.length - 4,
  }
  const functions = [...Object.values(odd), odd[Symbol.iterator], Tool.fixed, new Tool().plain]
  for (const fn of functions) assert.is(await compiled(fn)(4), 5, String(fn))
  const accessors = {
    set value(seen: number[]) {
      seen.push(1)
    },
    get value(): number[] {
      return [1]
    },
    [key]: 0,
  }
  const { get, set } = Object.getOwnPropertyDescriptor(accessors, 'value')!
  assert.equal(compiled(get!)(), [1])
  const seen: number[] = []
  compiled(set!)(seen)
  assert.equal(seen, [1])
  const generator = compiled(function* count(n: number) {
    yield n
    yield n + 1
  }) as (n: number) => Iterable<number>
  assert.equal([...generator(1)], [1, 2])
})

test('a function that a transpiler has wrapped to keep names runs in a process', async () => {
  const source = `
    import { Process, ProcessPoolExecutor } from 'manyhands'
    const target = (n: number) => {
      const inner = (m: number) => m * 2
      function declared(m: number) { return inner(m) }
      class Kept {}
      console.log(declared(n), inner.name, declared.name, Kept.name)
    }
    const child = new Process({ target, args: [21] }).start()
    await child.join()
    console.log(child.exitcode)`
  const { code } = transformSync(source, { loader: 'ts', keepNames: true, format: 'esm' })
  assert.match(code, '__name(')
  assert.is((await runProgram(code)).stdout, '42 inner declared Kept\n0\n')
  const minified = transformSync(source, {
    loader: 'ts',
    keepNames: true,
    format: 'esm',
    minifySyntax: true,
    minifyWhitespace: true,
  })
  assert.is((await runProgram(minified.code)).stdout, '42 inner declared Kept\n0\n')
})

test('the counters of istanbul do no harm, also in async functions and branches', async () => {
  const touched = runInThisContext(`(async function touched(n) {
    cov_2k3j4h5g6().f[0]++
    const list = (cov_2k3j4h5g6().s[0]++, [1, 2, 3])
    cov_2k3j4h5g6().s[1]++
    if (n > 1 && (cov_2k3j4h5g6().b[1][0]++, true)) {
      cov_2k3j4h5g6().b[0][0]++
      return await list.map((x) => { cov_2k3j4h5g6().f[1]++; return x + n })
    } else {
      cov_2k3j4h5g6().b[0][1]++
    }
    return (cov_2k3j4h5g6().bT[2][0] += 1, 0)
  })`) as (n: number) => Promise<unknown>
  const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  assert.equal(await executor.submit(touched, 2), [3, 4, 5])
  assert.is(await executor.submit(touched, 1), 0)
  // Of the program: not a counter.
  const matrix = runInThisContext('(i) => cov_matrix[i]') as (i: number) => unknown
  assert.match(((await executor.submit(matrix, 1).exception()) as Error).message, /^cov_matrix is not defined .*task\(/)
  await executor.shutdown()
})

test('functions that esbuild, TypeScript or Babel have written for an older runtime run by their source', async () => {
  const source = `globalThis.fromEsbuild = async (o) => {
    const { a, ...others } = o
    const later = async (x, ...more) => { try { return await x } catch (e) { return [e, more.length, true] } }
    const fails = async () => { await null; throw 'thrown' }
    return { ...others, a: await later(Promise.resolve(a)), caught: await later(fails(), 1), list: [...o.list, 4] }
  }`
  const { code } = transformSync(source, { target: 'es2016' })
  assert.match(code, '__async')
  assert.match(code, '__spreadProps')
  const fromEsbuild = /^globalThis\.fromEsbuild = (.*);\s*$/ms.exec(code)![1]!
  const expected = { b: 2, list: [1, 2, 3, 4], a: 1, caught: ['thrown', 1, true] }
  const others = [
    `function (o) { return __awaiter(this, void 0, void 0, function* () {
      const others = __rest(o, ['a', 'list'])
      const fails = () => __awaiter(this, void 0, void 0, function* () { yield null; throw 'thrown' })
      let caught; try { yield fails() } catch (e) { caught = [e, 1, true] }
      return __assign(__assign({}, others), { a: yield Promise.resolve(o.a), caught, list: __spreadArray(__spreadArray([], o.list, true), [4], false) })
    }) }`,
    `function (o) { return _asyncToGenerator(function* (x) {
      const caught = yield _async_to_generator(function* () { throw 'thrown' })().catch((e) => [e, 1, true])
      const { a, list } = _objectSpread2({}, x)
      return _object_spread_props(_objectSpread(_define_property({}, 'a', yield a), _objectWithoutProperties(x, ['a', 'list'])), { caught, list: [...list, 4] })
    })(o) }`,
  ]
  for (const text of [fromEsbuild, ...others]) {
    const fn = runInThisContext(`(${text})`) as (o: object) => Promise<object>
    const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
    assert.equal(await executor.submit(fn, { a: 1, b: 2, list: [1, 2, 3] }), expected, text)
    await executor.shutdown()
  }
})

test('what vite makes of import() works by source; what it makes of imports gets advice that names them', async () => {
  const vite = (text: string) => runInThisContext(`(${text})`) as () => unknown
  const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  const file = new URL('../../../spec/fixtures/plain.mjs', import.meta.url).pathname
  const dynamic = [
    ['node:path', 'sep'],
    ['manyhands', 'cpuCount'],
    [`/@fs${file}`, 'double'],
    [file, 'double'],
    ['/spec/fixtures/plain.mjs', 'double'],
  ] as const
  for (const [specifier, name] of dynamic) {
    const importing = vite(`async () => '${name}' in (await __vite_ssr_dynamic_import__('${specifier}'))`)
    assert.is(await executor.submit(importing), true, specifier)
  }
  for (const [text, meaning] of [
    [
      '() => __vite_ssr_import_0__.readFile(__vite_ssr_import_0__["default"])',
      'it is an import, for vite: readFile, default',
    ],
    ['() => __vi_import_0__.format', 'it is an import, for vite: format'],
    ['() => __vite_ssr_import_meta__.url', 'it is import.meta, for vite'],
    ['() => _helper.format', 'the function anonymous was sent'],
  ] as const) {
    const { message } = (await executor.submit(vite(text)).exception()) as Error
    assert.match(message, `is not defined (${meaning}`, text)
    assert.match(message, 'task(import.meta.url, …)')
  }
  await executor.shutdown()
})

test('import.meta in a function is refused in the caller', async () => {
  const error = await thrownBy(() => new Process({ target: () => import.meta.url }))
  assert.instance(error, TypeError)
  assert.match(error.message, /uses import\.meta.*use task\(\)/)
})

test('a variable from around a function is a ReferenceError with advice', async () => {
  const outside = 5
  function usesOutside() {
    return outside
  }
  const later = async () => {
    await Promise.resolve()
    return outside
  }
  for (const [fn, name] of [
    [usesOutside, 'usesOutside'],
    [later, 'later'],
  ] as const) {
    const { error, exitcode } = await ended(fn)
    assert.instance(error, ReferenceError)
    const { message, stack } = error as ReferenceError
    assert.match(message, /^outside is not defined/)
    assert.match(message, `the function ${name} was sent to the worker by its source`)
    assert.match(message, 'task(import.meta.url, …)')
    assert.match(stack!, message)
    assert.is(exitcode, 1)
  }
})

test('`this` and `arguments` of an arrow function are not those of whoever compiled it', async () => {
  const arrow = runInThisContext('() => arguments') as () => unknown
  const global = runInThisContext('() => this === globalThis') as () => unknown
  const own = runInThisContext('(function () { return arguments.length })') as (...args: unknown[]) => number
  const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
  assert.match(((await executor.submit(arrow).exception()) as Error).message, /^arguments is not defined .*task\(/)
  assert.is(await executor.submit(global), true)
  assert.is(await executor.submit(own, 1, 2), 2)
  await executor.shutdown()
})

test('a method whose name was computed from a variable gets the same advice', async () => {
  const key = 'computed'
  const { error } = await ended({ [key]() {} }[key])
  assert.instance(error, ReferenceError)
  assert.match((error as Error).message, 'task(import.meta.url, …)')
})

test('an error other than a ReferenceError gets no advice', async () => {
  const { error } = await ended(() => {
    throw new TypeError('outside is not defined')
  })
  assert.is((error as Error).message, 'outside is not defined')
})

test('native functions, bound functions and proxies of functions are refused in the caller', async () => {
  function bindable(this: unknown) {
    return this
  }
  const refused = [Math.max, bindable.bind(null), new Proxy(() => 1, {}), console.log, Array.prototype.map]
  for (const target of refused) {
    const error = await thrownBy(() => new Process({ target: target as () => unknown }))
    assert.instance(error, TypeError)
    assert.match(
      error.message,
      /is a native or bound function, whose source cannot be sent to a worker; .* use task\(\)/,
    )
  }
})

test('classes are refused in the caller', async () => {
  class Named {
    field = 1
  }
  for (const target of [
    Named,
    class extends Named {},
    runInThisContext('(class{})') as typeof Named,
    runInNewContext('(class{})') as typeof Named,
  ]) {
    const error = await thrownBy(() => new Process({ target: target as never }))
    assert.instance(error, TypeError)
    assert.match(error.message, /is a class, not a function/)
  }
})

test('methods that cannot stand alone are refused in the caller', async () => {
  class Tool {
    #hidden() {}
    touch() {
      return this.#hidden
    }
    hidden() {
      return this.#hidden
    }
  }
  for (const target of [new Tool().hidden(), new Tool().touch]) {
    const error = await thrownBy(() => new Process({ target }))
    assert.instance(error, TypeError)
    assert.match(error.message, /cannot stand alone .* use task\(\) for it/)
  }
})

test('a target that is not a function is refused in the caller, and named', async () => {
  for (const [target, name] of [
    [undefined, 'undefined'],
    [null, 'null'],
    ['f', "'f'"],
    [{ f: 1 }, '{ f: 1 }'],
  ] as const) {
    const error = await thrownBy(() => new Process({ target: target as never }))
    assert.instance(error, TypeError)
    assert.match(error.message, `a target must be a task or a function, not ${name}`)
  }
})

test('a dynamic import in a function by source finds packages from the working directory', async () => {
  const target = async (port: MessagePort) => {
    const { basename } = await import('node:path')
    const { cpuCount } = await import('manyhands')
    port.postMessage([basename('/a/b'), cpuCount() > 0])
  }
  assert.equal(await replyOf(target), ['b', true])
})

test('import() in a function by source, and tasksFrom a package, print no warning, from any directory', async () => {
  const { stdout, stderr } = await runProgram(`
    import { isMainThread, Process, ProcessPoolExecutor, tasksFrom } from 'manyhands'
    const executor = new ProcessPoolExecutor({ maxWorkers: 1 })
    const { basename } = tasksFrom('node:path')
    const target = async (name) => [typeof require, typeof module, typeof exports, Object.keys(await import(name)).length > 0]
    console.log(await executor.submit(target, 'uvu/assert'), await executor.submit(tasksFrom('uvu/assert').ok, true))
    console.log(await executor.submit(basename, '/a/b'), await tasksFrom('uvu/assert').is(1, 1))
    const failing = async () => { await import('node:path'); throw new Error('m') }
    console.log((await executor.submit(failing).exception()).stack.includes('failing'))
    await executor.shutdown()`)
  assert.is(stderr, '')
  assert.is(stdout, "[ 'undefined', 'undefined', 'undefined', true ] undefined\nb undefined\ntrue\n")
})

test.run()
