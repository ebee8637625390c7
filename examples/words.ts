// An index of words, built by several processes: in a managed dictionary, and in an object of a class of our own. Both live in
// the thread of a manager. Each process reads one text and adds its words.
import { isMainThread, Manager, Process, task, type Remote, type RemoteDict } from 'manyhands'

const TEXTS: Record<string, string> = {
  'owl.txt': 'many hands make light work and many eyes make bugs shallow',
  'fox.txt': 'the quick brown fox jumps over the lazy dog',
  'hen.txt': 'the early bird catches the worm and the late one sleeps',
  'cat.txt': 'all work and no play makes jack a dull boy',
}

const wordsOf = (file: string) => new Set(TEXTS[file]!.split(' '))

/** For each word, the files that contain it. */
class Index {
  readonly #files = new Map<string, Set<string>>()
  add(file: string, words: Iterable<string>): void {
    for (const word of words) this.#files.set(word, (this.#files.get(word) ?? new Set()).add(file))
  }
  find(word: string): string[] {
    return [...(this.#files.get(word) ?? [])].toSorted()
  }
  get size(): number {
    return this.#files.size
  }
}
task(import.meta.url, Index)

const addFile = task(import.meta.url, function addFile(files: string[] | undefined, file: string) {
  return [...(files ?? []), file]
})

const indexInDict = task(
  import.meta.url,
  async function indexInDict(index: RemoteDict<string, string[]>, file: string) {
    await Promise.all([...wordsOf(file)].map((word) => index.update(word, addFile, file)))
  },
)

const indexInObject = task(import.meta.url, async function indexInObject(index: Remote<Index>, file: string) {
  await index.add(file, wordsOf(file))
})

if (isMainThread) {
  const manager = await Manager.start()
  const dict = manager.dict<string, string[]>()
  const object = manager.create(Index)
  const processes = Object.keys(TEXTS).flatMap((file) => [
    new Process({ target: indexInDict, args: [dict, file] }).start(),
    new Process({ target: indexInObject, args: [object, file] }).start(),
  ])
  await Promise.all(processes.map((process) => process.join()))
  console.log(`dictionary: ${await dict.size} words; "work" is in ${(await dict.get('work'))!.toSorted().join(', ')}`)
  console.log(`own class:  ${await object.size} words; "work" is in ${(await object.find('work')).join(', ')}`)
  await manager.shutdown()
}
