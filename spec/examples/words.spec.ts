import { assert, runNode, suite } from '../harness.js'

const test = suite('the words program')

test('builds the same index in a dictionary and in a class of its own', async () => {
  const { code, stdout, stderr } = await runNode(['.build/examples/words.js'])
  assert.is(code, 0, stderr)
  const [dict, object] = stdout.trimEnd().split('\n')
  assert.is(dict, 'dictionary: 32 words; "work" is in cat.txt, owl.txt')
  assert.is(object, 'own class:  32 words; "work" is in cat.txt, owl.txt')
})

test.run()
