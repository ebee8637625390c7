// Each rule of the algorithms, broken in the shipped code: the explorer must find a violation.
import { assert, suite } from '../harness.js'
import { bundle, type Mutant } from './bundle.js'
import { explore } from './explorer.js'
import { explored } from './scenarios.js'

const test = suite('the explorer')

const LOAD_THEN_LOOK =
  'this.seen = load(this.words, this.index) // Before looking: see pipe-end.ts.\n    return this.#look(this) ? DONE : WAIT'
const LOOK_THEN_LOAD =
  'this.seen = load(this.words, this.index)\n    const found = this.#look(this)\n    this.seen = load(this.words, this.index)\n    return found ? DONE : WAIT'

const mutants: (Mutant & { shownBy: string })[] = [
  {
    name: 'two threads take a free lock: load and store in place of compareExchange',
    file: 'lib/sync/lock-word.ts',
    from: 'return compareExchange(words, at, word, taken) === word ? DONE : AGAIN',
    to: 'compareExchange(words, at, load(words, at), taken); return DONE',
    shownBy: 'Lock: 3 threads',
  },
  {
    name: 'a thread that slept takes the lock without the mark that others sleep',
    file: 'lib/sync/lock-word.ts',
    from: '| (this.slept ? CONTENDED : 0)',
    to: '& ~CONTENDED',
    shownBy: 'Lock: 3 threads',
  },
  {
    name: 'a release wakes nobody',
    file: 'lib/sync/lock-word.ts',
    from: 'if (word & CONTENDED) notifyOne(words, at)',
    to: '',
    shownBy: 'Lock: 3 threads',
  },
  {
    name: 'a waiter that was woken gives up because it is late',
    file: 'lib/sync/park.ts',
    from: `=== 'timed-out') {`,
    to: `!== '' && endMs - performance.now() <= 0) return false; else {`,
    shownBy: 'Lock: 3 threads, one out of time',
  },
  {
    name: 'a waiter does not probe for the death of the owner: waking the sleepers does not help while the word says HELD',
    file: 'lib/sync/lock-word.ts',
    from: 'return this.probing ? probeDead(owner - 1) : isDead(owner - 1)',
    to: 'return false',
    shownBy: 'Lock: 3 threads, 1 death',
  },
  {
    name: 'a waiter reports the owner of its first look, which has released the lock before it ended',
    file: 'lib/sync/lock-word.ts',
    from: 'if (load(words, at) !== word) return AGAIN',
    to: '',
    shownBy: 'Lock: 3 threads',
  },
  {
    name: 'one that awaits does',
    file: 'lib/sync/lock-word.ts',
    from: 'if (load(words, at) !== word) return AGAIN',
    to: 'if (blocking && load(words, at) !== word) return AGAIN',
    shownBy: 'Lock: 3 threads, one awaits',
  },
  {
    name: 'one that only tries does',
    file: 'lib/sync/lock-word.ts',
    from: 'if (load(words, at) !== word) continue',
    to: '',
    shownBy: 'Lock: 3 threads, one tries',
  },
  {
    name: 'a waiter for a notification does, and is woken by that',
    file: 'lib/sync/lock-word.ts',
    from: 'if (ownerOf(words, at) === owner) throw',
    to: 'throw',
    shownBy: 'Condition: 1 waits in vain, 1 uses the lock',
  },
  {
    name: 'a writer is reported that died before it knew that it might write',
    file: 'lib/sync/rwlock.ts',
    from: 'return !this.entries(GRANTED).some((entry) => this.ownerOf(entry) === writer)',
    to: 'return true',
    shownBy: 'RWLock: 3 writers, one twice, 1 death',
  },
  {
    name: 'a release of a permit leaves it in the name of its holder',
    file: 'lib/sync/semaphore.ts',
    from: '...(given === held ? [entry, 0] : [entry + ENTRY_COUNT, held - given]),',
    to: '',
    shownBy: 'Semaphore(1): 3 threads',
  },
  {
    name: 'what a thread ended with is handed over in silence',
    file: 'lib/sync/lock-word.ts',
    from: "if (owner !== 0 && this.onOwnerDeath === 'report') {",
    to: 'if (false) {',
    shownBy: 'Lock: 3 threads, one ends with it',
  },
  {
    name: 'only locks that the dead thread held are looked after: sleeps are not cut into slices',
    file: 'lib/sync/park.ts',
    from: 'if (waitOn(waiter.words, waiter.index, waiter.seen, Math.min(leftMs, sliceMs)) ===',
    to: `while (waitOn(waiter.words, waiter.index, waiter.seen, leftMs) === 'timed-out'); if ('' ===`,
    shownBy: 'Lock: 3 threads, 1 death',
  },
  {
    name: 'a dead lock is released as if it were held',
    file: 'lib/sync/lock-word.ts',
    from: '|| (owner !== ME && probeDead(owner - 1))',
    to: '|| owner === ME',
    shownBy: 'Lock: 3 threads',
  },
  {
    name: 'an RLock is freed at the first release',
    file: 'lib/sync/rlock.ts',
    from: 'if (depth > 1) poke(words, DEPTH, depth - 1)',
    to: 'if (depth > 2) poke(words, DEPTH, depth - 1)',
    shownBy: 'RLock: 3 threads',
  },
  {
    name: 'a change of two words is made without the log',
    file: 'lib/sync/entry-table.ts',
    from: '    poke(words, LOGGED, pairs.length)\n    this.#replay()',
    to: '    for (let i = 0; i < pairs.length; i += 2) poke(words, pairs[i]!, pairs[i + 1]!)',
    shownBy: 'Semaphore(1): 3 threads, 1 death',
  },
  {
    name: 'the log of the dead is not written',
    file: 'lib/sync/entry-table.ts',
    from: 'if (peek(this.words, LOGGED) > 0) this.#replay()',
    to: '',
    shownBy: 'Semaphore(1): 3 threads, 1 death',
  },
  {
    name: 'a permit granted to a dead thread is lost',
    file: 'lib/sync/semaphore.ts',
    from: 'this.commit(FREE, peek(words, FREE) + 1, entry, 0)',
    to: 'this.remove(entry)',
    shownBy: 'Semaphore(1): 3 threads, one twice, 1 death',
  },
  {
    name: 'a waiter is woken, but its word says nothing of that: it was not asleep yet',
    file: 'lib/sync/monitor.ts',
    from: 'poke(this.words, entry, peek(this.words, entry) | HINTED)',
    to: '',
    shownBy: 'Semaphore(1): 3 threads',
  },
  {
    // What the shipped code once did: the storm counted 23 overlaps.
    name: 'a permit is charged when it is granted: what a dead waiter was granted is given back twice',
    file: 'lib/sync/semaphore.ts',
    from: 'this.grant(entry, FREE, peek(this.words, FREE) - 1)',
    to: 'this.grant(entry, FREE, peek(this.words, FREE) - 1, ...this.charge(this.ownerOf(entry), 1))',
    shownBy: 'Semaphore(1): 3 threads, one twice, 1 death',
  },
  {
    name: 'a waiter that gives up leaves its entry',
    file: 'lib/sync/monitor.ts',
    from: '      this.abandon(waiter)\n      this.remove(waiter.index)',
    to: '      this.abandon(waiter)',
    shownBy: 'Semaphore(1): 3 threads, one out of time',
  },
  {
    name: 'a waiter that gives up does not look whether it was granted a permit just before',
    file: 'lib/sync/monitor.ts',
    from: 'if (!this.is(waiter.index, WAITING)) return this.finish(waiter) === DONE\n      this.abandon',
    to: 'this.abandon',
    shownBy: 'Semaphore(1): 3 threads, one out of time',
  },
  {
    name: 'a writer is let in while others read',
    file: 'lib/sync/rwlock.ts',
    from: 'if (this.#isRead() || !isNext) return false',
    to: 'if (!isNext) return false',
    shownBy: 'RWLock: 2 readers, 1 writer',
  },
  {
    name: 'a reader that dies is not forgotten',
    file: 'lib/sync/rwlock.ts',
    from: 'for (const entry of [...this.waiters(), ...this.entries(HOLDING)])',
    to: 'for (const entry of this.waiters())',
    shownBy: 'RWLock: 2 readers, 1 writer, 1 death',
  },
  {
    name: 'a waiter for a notification releases the lock before it has an entry',
    file: 'lib/sync/condition.ts',
    from: 'waiter.attempt()\n    const depth = this.#lock.suspend()',
    to: 'const depth = this.#lock.suspend()\n    waiter.attempt()',
    shownBy: 'Condition: 2 wait, both notified',
  },
  {
    name: 'a notification dies with the thread that it reached',
    file: 'lib/sync/condition.ts',
    from: 'else this.grant(next, entry, 0)',
    to: 'else this.remove(entry)',
    shownBy: 'Condition: 2 wait, one of them dies anywhere',
  },
  {
    name: 'a notified waiter removes its entry before it holds the lock again',
    file: 'lib/sync/condition.ts',
    from: '    waiter.notified = true\n    return DONE',
    to: '    this.remove(waiter.index)\n    return DONE',
    shownBy: 'Condition: 2 wait, one of them dies anywhere',
  },
  {
    name: 'a release does not wake threads that await',
    file: 'lib/sync/lock-word.ts',
    from: 'add(words, at + TURNS, 1)',
    to: '',
    shownBy: 'Lock: 3 threads, one awaits',
  },
  {
    name: 'a thread that awaits looks at TURNS after LOCK',
    file: 'lib/sync/lock-word.ts',
    from: 'this.seen = blocking ? word | mark : turns',
    to: 'this.seen = blocking ? word | mark : load(words, at + TURNS)',
    shownBy: 'Lock: 3 threads, one awaits',
  },
  {
    name: 'a barrier releases its party one by one',
    file: 'lib/sync/barrier.ts',
    from: 'poke(words, GENERATION, waiter.kind + 1)\n      this.settle(false)',
    to: 'for (const entry of this.waiters()) this.grant(entry)\n      poke(words, GENERATION, waiter.kind + 1)',
    shownBy: 'Barrier(3), 1 death',
  },
  {
    name: 'a party that dies is only forgotten',
    file: 'lib/sync/barrier.ts',
    from: 'if (this.#isPresent(entry)) this.break()\n      this.remove(entry)',
    to: 'this.remove(entry)',
    shownBy: 'Barrier(3), one dies while it waits',
  },
  {
    name: 'a party that gives up leaves the others waiting',
    file: 'lib/sync/barrier.ts',
    from: 'if (this.#isPresent(waiter.index)) this.break()',
    to: '',
    shownBy: 'Barrier(3), out of time',
  },
  {
    name: 'a waiter at an event count looks before it sets its mark, and not after',
    file: 'lib/queue/event-count.ts',
    from: 'mark(words, at, index - at)\n    if (this.look()) {',
    to: 'const found = this.look()\n    mark(words, at, index - at)\n    if (found) {',
    shownBy: 'Queue with room for one: 1 puts three, 1 gets three',
  },
  {
    name: 'a waiter that was woken at an event count does not wake the next for what is left',
    file: 'lib/queue/event-count.ts',
    from: 'if (this.slept) this.passOn()',
    to: '',
    shownBy: 'Queue: 1 puts two, 2 get one each',
  },
  {
    name: 'a frame is published before it is written',
    file: 'lib/queue/ring.ts',
    from: 'segments.copyIn(frame, tail + FRAME_HEADER_BYTES)\n    store(words, TAIL, (tail + size) | 0)',
    to: 'store(words, TAIL, (tail + size) | 0)\n    segments.copyIn(frame, tail + FRAME_HEADER_BYTES)',
    shownBy: 'Queue: one of those that put dies',
  },
  {
    name: 'a frame is freed before it is copied',
    file: 'lib/queue/ring.ts',
    from: 'if (!take()) return FRAME_LEFT',
    to: 'store(words, HEAD, (head + 16) | 0)\n      load(words, TAIL)\n      if (!take()) return FRAME_LEFT',
    shownBy: 'Queue with room for one: 1 puts three, 1 gets three',
  },
  {
    name: 'a reader enters the next segment before it has read the last',
    file: 'lib/queue/ring-segments.ts',
    from: '&& this.#begins(segment + 1, head)',
    to: '',
    shownBy: 'Queue that grows: 1 puts three, 1 gets three',
  },
  {
    name: 'a reader goes beyond the tail that it knows of',
    file: 'lib/queue/ring.ts',
    from: 'const tail = this.#loadTail()',
    to: 'const tail = load(words, TAIL)',
    shownBy: 'Queue: 1 puts two, 1 gets many, and then one more in time',
  },
  {
    name: 'a frame that is published during a shutdown is not seen',
    file: 'lib/queue/ring.ts',
    from: 'if (head === this.#loadTail()) return SHUT_DOWN',
    to: 'return SHUT_DOWN',
    shownBy: 'Queue: 1 puts one and shuts down, 1 drains it',
  },
  {
    name: 'a shutdown wakes no getters',
    file: 'lib/queue/queue-state.ts',
    from: 'ring.shutDown(immediate)\n    wakeAll(ring.words, GETTERS)',
    to: 'ring.shutDown(immediate)',
    shownBy: 'Queue: 1 puts one and shuts down, 1 drains it',
  },
  {
    name: 'a message that a dead reader took is still counted',
    file: 'lib/queue/ring.ts',
    from: 'if (head === tail) poke(words, READ_COUNT, count)',
    to: 'if (head === tail) ;',
    shownBy: 'Queue(1): one that gets dies, and is in nobody’s way',
  },
  {
    // What the shipped code once did: the next one read zeros.
    name: 'a reader records the next segment before it has taken what it read from the last',
    file: 'lib/queue/ring-segments.ts',
    from: 'this.#begins(segment + 1, head)) segment++',
    to: 'this.#begins(segment + 1, head)) poke(words, READ_SEGMENT, ++segment)',
    shownBy: 'Queue: one of those that get many dies',
  },
  {
    name: 'a message is still got after an immediate shutdown',
    file: 'lib/queue/ring.ts',
    from: 'return peek(words, RING_STATE) === DISCARDED ? SHUT_DOWN : FRAME_MOVED',
    to: 'return FRAME_MOVED',
    shownBy: 'Queue: the one that shuts it down at once dies',
  },
  {
    name: 'a shutdown wakes no putters',
    file: 'lib/queue/queue-state.ts',
    from: 'wakeAll(ring.words, GETTERS)\n    wakeAll(ring.words, PUTTERS)',
    to: 'wakeAll(ring.words, GETTERS)',
    shownBy: 'Queue(1): 2 put into the full one, 1 shuts down at once',
  },
  {
    name: 'a shutdown wakes only one getter',
    file: 'lib/queue/queue-state.ts',
    from: 'ring.shutDown(immediate)\n    wakeAll(ring.words, GETTERS)',
    to: 'ring.shutDown(immediate)\n    wakeOne(ring.words, GETTERS)',
    shownBy: 'Queue: 2 get, 1 shuts down at once',
  },
  {
    name: 'a shutdown wakes no joiners',
    file: 'lib/queue/queue-state.ts',
    from: 'wakeAll(ring.words, PUTTERS)\n    wakeAll(ring.words, JOINERS)',
    to: 'wakeAll(ring.words, PUTTERS)',
    shownBy: 'JoinableQueue: 1 works, 1 shuts down at once, 1 joins',
  },
  {
    name: 'discarded tasks are still to be done',
    file: 'lib/queue/ring.ts',
    from: '(peek(words, WRITE_COUNT) - peek(words, DISCARD_COUNT)) | 0,',
    to: 'peek(words, WRITE_COUNT),',
    shownBy: 'JoinableQueue: 1 works, 1 shuts down at once, 1 joins',
  },
  {
    name: 'the last taskDone wakes nobody',
    file: 'lib/queue/queue-state.ts',
    from: '    })\n    wakeAll(ring.words, JOINERS)',
    to: '    })',
    shownBy: 'JoinableQueue: 2 work, 1 joins',
  },
  {
    name: 'the tasks of a dead thread are waited for',
    file: 'lib/queue/task-counts.ts',
    from: 'if (owner !== ME && isDead(owner - 1)) dead.push(entry)',
    to: 'if (false) dead.push(entry)',
    shownBy: 'JoinableQueue: 1 gets two and ends, 1 joins',
  },
  {
    name: 'a thread that dies just after it took a task is not charged with it',
    file: 'lib/queue/task-counts.ts',
    from: 'if (peek(this.#words, LOG_HEAD) === head) this.replay()',
    to: 'if (false) this.replay()',
    shownBy: 'JoinableQueue: 2 work, one of them dies, 1 joins',
  },
  {
    name: 'a thread that has tasks is taken for dead',
    file: 'lib/queue/task-counts.ts',
    from: 'if (owner !== ME && isDead(owner - 1)) dead.push(entry)',
    to: 'if (owner !== ME) dead.push(entry)',
    shownBy: 'JoinableQueue: 2 work, 1 joins',
  },
  {
    name: 'a thread that dies with its task done has lost it',
    file: 'lib/queue/task-counts.ts',
    from: 'this.#logTwo(head, FINISHED, finished, entry + COUNT, peek(words, entry + COUNT) - 1)\n      this.replay()',
    to: 'poke(words, entry + COUNT, peek(words, entry + COUNT) - 1)\n      poke(words, FINISHED, finished)',
    shownBy: 'JoinableQueue: 2 work, one of them dies, 1 joins',
  },
  {
    name: 'a loss that one joiner found is not told to the other',
    file: 'lib/queue/queue-state.ts',
    from: 'if (losses.tasks === known.tasks) return finished',
    to: 'if (!wroteOff) return finished',
    shownBy: 'JoinableQueue: 1 gets one and ends, 2 join',
  },
  {
    name: 'a joiner is told of a loss twice',
    file: 'lib/queue/queue-state.ts',
    from: '    this.#known = losses\n',
    to: '',
    shownBy: 'JoinableQueue: 1 gets two and ends, 1 joins',
  },
  {
    name: 'tasks are written off one word after the other',
    file: 'lib/queue/task-counts.ts',
    from: '      this.#log(head, [entry + COUNT, 0, ...(lost > 0 ? this.#lossOf(lost, peek(words, entry)) : [])])\n      this.replay()',
    to: '      const pairs = [entry + COUNT, 0, ...(lost > 0 ? this.#lossOf(lost, peek(words, entry)) : [])]\n      for (let i = 0; i < pairs.length; i += 2) poke(words, pairs[i]!, pairs[i + 1]!)',
    shownBy: 'JoinableQueue: 1 gets one and ends, 2 join, one of them dies',
  },
  {
    name: 'putMany wakes nobody for its first messages',
    file: 'lib/queue/queue-state.ts',
    from: 'if (written > 0) wakeAll(ring.words, GETTERS)',
    to: 'if (written === frames.length) wakeAll(ring.words, GETTERS)',
    shownBy: 'Queue(2): 1 puts three at once, 1 gets many',
  },
  {
    name: 'a message that is left wakes nobody',
    file: 'lib/queue/queue-state.ts',
    from: 'wakeOne(words, GETTERS) // This',
    to: '// This',
    shownBy: 'Queue: 1 leaves a number, 1 gets it',
  },
  {
    name: 'getInto wakes no putters',
    file: 'lib/queue/queue-state.ts',
    from: '        wakeOne(words, PUTTERS)\n        return other',
    to: '        return other',
    shownBy: 'Queue(1): 1 puts into the full one, 1 gets into a view',
  },
  {
    name: 'a message that has no room in the view is taken',
    file: 'lib/queue/ring.ts',
    from: 'if (!take()) return FRAME_LEFT\n',
    to: 'take()\n',
    shownBy: 'Queue: the one that leaves a message dies',
  },
  {
    name: 'getMany wakes no putters',
    file: 'lib/queue/queue-state.ts',
    from: 'if (result === FRAME_MOVED) wakeAll(ring.words, PUTTERS)',
    to: '',
    shownBy: 'Queue(2): 1 puts three at once, 1 gets many',
  },
  {
    name: 'a message wakes nobody',
    file: 'lib/pipe/pipe-end.ts',
    from: 'add(this.words, this.#peer + INCOMING, ONE_MESSAGE)\n    notifyAll(this.words, this.#peer + INCOMING)',
    to: 'add(this.words, this.#peer + INCOMING, ONE_MESSAGE)',
    shownBy: 'Pipe: 1 sends two, 1 blocks for them',
  },
  {
    name: 'a receive looks for a message before it loads the word that it sleeps on',
    file: 'lib/pipe/receive-waiter.ts',
    from: LOAD_THEN_LOOK,
    to: LOOK_THEN_LOAD,
    shownBy: 'Pipe: 1 sends two, 1 blocks for them',
  },
  {
    name: 'a poll looks for a message before it loads the word that it sleeps on',
    file: 'lib/pipe/receive-waiter.ts',
    from: LOAD_THEN_LOOK,
    to: LOOK_THEN_LOAD,
    shownBy: 'Pipe: 1 sends one and closes, 1 polls and receives',
  },
  {
    name: 'close wakes nobody',
    file: 'lib/pipe/pipe-end.ts',
    from: 'or(this.words, this.#peer + INCOMING, PEER_CLOSED)\n    notifyAll(this.words, this.#peer + INCOMING)',
    to: 'or(this.words, this.#peer + INCOMING, PEER_CLOSED)',
    shownBy: 'Pipe: 1 sends two and closes, 1 receives all',
  },
  {
    name: 'the closed bit is loaded after the port was found empty',
    file: 'lib/pipe/receiver.ts',
    from: 'if (PipeEnd.isClosedIn(seen)) throw',
    to: 'if (PipeEnd.isClosedIn(this.#end.seen)) throw',
    shownBy: 'Pipe: 1 sends two and closes, 1 receives all',
  },
  {
    name: 'a message is counted before it is in the port',
    file: 'lib/pipe/pipe-end.ts',
    from: 'if (transfer) this.port?.postMessage(message, transfer)\n    else this.port?.postMessage(message)\n    add(this.words, this.#peer + INCOMING, ONE_MESSAGE)',
    to: 'add(this.words, this.#peer + INCOMING, ONE_MESSAGE)\n    if (transfer) this.port?.postMessage(message, transfer)\n    else this.port?.postMessage(message)',
    shownBy: 'Pipe: 1 sends one and closes, 1 polls and receives',
  },
  {
    name: 'a blocked receive never asks whether the port is gone',
    file: 'lib/pipe/receiver.ts',
    from: 'if (probing ? end.isPortGone : end.sawPortGone)',
    to: 'if (end.sawPortGone)',
    shownBy: 'Pipe: the sender dies',
  },
  {
    name: 'the death of the sender is taken for the end of file',
    file: 'lib/pipe/receiver.ts',
    from: 'if (probing ? end.isPortGone : end.sawPortGone)',
    to: 'if (probing ? end.isBroken : end.sawPortGone)',
    shownBy: 'Pipe: the sender dies',
  },
]

let caught = 0

for (const mutant of mutants)
  test(`catches it when ${mutant.name}`, async () => {
    const [mutex, scenarios] = explored.find(([, list]) => list.some(({ name }) => name === mutant.shownBy))!
    const scenario = scenarios.find(({ name }) => name === mutant.shownBy)!
    const { violation } = explore(await bundle({ mutant, mutex }), scenario)
    assert.type(violation, 'string')
    assert.not.match(violation!, 'ReferenceError') // A mutant that cannot run shows nothing.
    caught++
  })

test('has been given every mutant', () => {
  console.log(`\n# ${caught} mutants caught of ${mutants.length}`)
})

test.run()
