import { assert, suite } from '../harness.js'
import { anomalyIn, drawn, isLinearizable } from './histories.js'
import { explainHistories } from './queue-histories.js'

const test = suite('histories of queues')

const wrong: [what: string, said: RegExp, maxsize: number, lines: string][] = [
  ['a value from nowhere', /2 was got before it was put/, 0, `[put 1] [get 2]`],
  [
    'a value that was got before it was put',
    /1 was got before it was put/,
    0,
    `
    [get 1]
            [put 1]`,
  ],
  [
    'a value that was got twice',
    /1 was got twice/,
    0,
    `
    [put 1]   [get 1]
            [get 1]`,
  ],
  ['a value that was lost', /1 was lost/, 0, `[put 1] [get: empty]`],
  ['a value that was lost, by the size', /1 was lost/, 0, `[put 1] [qsize 0]`],
  [
    'a get that found nothing although a value was there',
    /'get: empty' although 1 was there/,
    0,
    `
    [put 1]              [get 1]
            [get: empty]`,
  ],
  ['a queue that said it was empty', /'empty' although 1 was there/, 0, `[put 1] [empty 1] [get 1]`],
  ['a queue that said it was not empty', /'empty 0' although 0 to 0/, 0, `[put 1] [get 1] [empty 0]`],
  [
    'a value that overtook another, which was put wholly before it and got wholly after it',
    /2 overtook 1/,
    0,
    `
    [put 1]         [get 2]
            [put 2]         [get 1]`,
  ],
  [
    'a value that overtook another, put by one call',
    /2 overtook 1/,
    0,
    `
    [putMany 1 2]         [get 1]
          [get 2]`,
  ],
  [
    'a value that overtook another, got by one call',
    /2 overtook 1/,
    0,
    `
    [put 1]  [getMany 2 1]
              [put 2]`,
  ],
  ['a value that overtook another, put and got by one call', /2 overtook 1/, 0, `[putMany 1 2] [getMany 2 1]`],
  ['a value that overtook another, which nobody got', /2 overtook 1/, 0, `[put 1] [put 2] [get 2]`],
  ['more values than there may be', /'put 3' although 2 to 3 of 2/, 2, `[put 1] [put 2] [put 3] [getMany 1 2 3]`],
  [
    'a put that found no room although there was some',
    /'put: full 0' although 1 to 1 of 2 were there/,
    2,
    `
    [put 1]             [get 1]
           [put: full]`,
  ],
  ['a put that found no room without a limit', /'put: full 0' although/, 0, `[put 1] [put: full] [get 1]`],
  ['a queue that said it was full', /'full 1' although/, 2, `[put 1] [full 1] [get 1]`],
  ['a queue that said it was not full', /'full 0' although/, 1, `[put 1] [full 0] [get 1]`],
  [
    'a size that was too large',
    /'qsize 3' although 1 to 2/,
    0,
    `
    [put 1] [put 2]    [get 1] [get 2]
                     [qsize 3]`,
  ],
  [
    'a size that was too small',
    /'qsize 1' although 2 to 3/,
    0,
    `
    [put 1] [put 2]    [put 3]
                     [qsize 1] [getMany 1 2 3]`,
  ],
]

for (const [what, said, maxsize, lines] of wrong)
  test(`${what} is refused`, () => {
    assert.not(isLinearizable(drawn(lines), maxsize))
    assert.match(String(anomalyIn(drawn(lines), maxsize)), said)
  })

// No rule about two values is broken, and no order is right.
const wrongTogether: [what: string, maxsize: number, lines: string][] = [
  [
    'two sizes that tell of different orders',
    0,
    `
    [put 1                      ] [get 1]
            [qsize 1] [qsize 0]`,
  ],
  [
    'a value that was seen before it was put and not seen then',
    0,
    `
    [put 1                      ]
      [empty 0]
                [get: empty]      [get 1]`,
  ],
  [
    'two puts into the room for one',
    1,
    `
    [put 1      ]            [get 1]
      [put 2      ]     [get 2]
         [get: empty]`,
  ],
]

for (const [what, maxsize, lines] of wrongTogether)
  test(`${what}: refused, by the search`, () => assert.not(isLinearizable(drawn(lines), maxsize)))

const right: [what: string, maxsize: number, lines: string][] = [
  ['nothing at all', 0, ''],
  ['one after another', 2, `[put 1] [put 2] [put: full] [full 1] [get 1] [qsize 1] [get 2] [get: empty] [empty 1]`],
  [
    'two that were put at once, in either order',
    0,
    `
    [put 1]       [get 2]
       [put 2]             [get 1]`,
  ],
  [
    'two that were got at once, in either order',
    0,
    `
    [put 1] [put 2]  [get 2]
                   [get 1  ]`,
  ],
  [
    'a value that is got while it is put',
    0,
    `
    [put 1                 ]
       [get 1] [empty 1]`,
  ],
  [
    'no value while one is put or got',
    0,
    `
    [put 1         ] [get 1         ]
      [get: empty]     [get: empty]
        [qsize 0]        [empty 1]`,
  ],
  [
    'no room while one is got, and room for it',
    1,
    `
    [put 1] [get 1                ]    [get 2]
             [put: full] [put 2]`,
  ],
  [
    'values of one call among those of others',
    0,
    `
    [putMany 1 2 3                      ]
       [get 1]   [put 4]          [get 2]
                [qsize 2]                 [getMany 4 3]`,
  ],
  [
    'a call that fills the queue as it is emptied',
    1,
    `
    [putMany 1 2 3                  ]
      [full 1] [get 1] [getMany 2 3]`,
  ],
  [
    'every size on the way',
    0,
    `
    [putMany 1 2 3                         ] [getMany 1 2 3                 ]
      [qsize 0] [qsize 1] [qsize 1] [qsize 2]  [qsize 3] [qsize 1] [qsize 0]`,
  ],
]

for (const [what, maxsize, lines] of right)
  test(`${what}: accepted`, () => {
    assert.ok(isLinearizable(drawn(lines), maxsize))
    assert.is(anomalyIn(drawn(lines), maxsize), undefined)
  })

test('an order explains what threads did with queues, and what they were answered', async () => {
  const seed = Date.now() % 2 ** 31
  const { histories, operations, met } = await explainHistories(seed, 320, 800)
  console.log(`\n# seed ${seed}: ${histories} histories, ${operations} operations; in short ones ${met} met another`)
  assert.ok(met > 0)
})

test.run()
