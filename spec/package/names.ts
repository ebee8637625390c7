// What things are called: one name stands for one thing, and names that were given up stay so.
import type { Rule } from './house.js'

/** Exported or not: two that are alike are mistaken for one another in a search, a stack or an import. */
export const namesUnique: Rule = function* (_, sources) {
  const homes = new Map<string, string[]>()
  for (const [path, source] of sources)
    if (/^lib\/.*\.ts$/.test(path))
      for (const name of topLevelNames(source)) homes.set(name, [...(homes.get(name) ?? []), path])
  for (const [name, paths] of homes)
    for (const path of paths)
      if (paths.length > 1)
        yield { path, what: `declares ${name}, as does ${paths.filter((other) => other !== path).join(', ')}` }
}

const DECLARATION =
  /^(?:export )?(?:default )?(?:declare )?(?:abstract )?(?:async )?(?:class|interface|type|function\*?|const|let|enum)\s+([\w$]+)/gm
const DESTRUCTURED = /^(?:export )?(?:const|let)\s+[[{]([^\]}]*)[\]}]\s*=/gm

/** Each once: a type and a value, and the overloads of a function, share their name. */
export function topLevelNames(source: string): Set<string> {
  const declared = [...source.matchAll(DECLARATION)].map(([, name]) => name!)
  const parts = [...source.matchAll(DESTRUCTURED)].flatMap(([, list]) => list!.split(','))
  const bound = parts
    .map(
      (part) =>
        part
          .split(':')
          .at(-1)!
          .match(/[\w$]+/)?.[0],
    )
    .filter((name) => name !== undefined)
  return new Set([...declared, ...bound])
}

interface RetiredWord {
  pattern: RegExp
  instead: string
  /** Where it may not stand. @default everywhere */
  within?: RegExp
}

/** Words that could also be English count only where a type stands. */
const typed = (name: string) =>
  new RegExp(String.raw`(?:\b(?:class|interface|type|new|extends|implements|as)\s+|[:<|&]\s*)${name}\b(?!\s+[a-z])`)

const CODE_OF_PACKAGE = /^(lib|workers)\//

const RETIRED: readonly RetiredWord[] = [
  { pattern: /\b[Dd]esk\b/, instead: 'FunctionTable, ResultSender' },
  { pattern: typed('Hand'), instead: 'WorkerHandle' },
  { pattern: /\b([Ee]rrand|ThreadEnded)\b/, instead: 'a lease that is made when a worker is free' },
  { pattern: /\bFlight\b/, instead: 'Lease' },
  { pattern: /\bbury\b/, instead: 'failRunning' },
  { pattern: /\b[Dd]ispatcher\b/, instead: 'Scheduler' },
  { pattern: /\bKnownFunctions?\b/, instead: 'FunctionStats, FunctionRegistry' },
  { pattern: /\bperLease\b/, instead: 'batchSize' },
  { pattern: /\bsiteOf\b/, instead: 'captureCallSite' },
  { pattern: /\bopenWide\b/, instead: 'wakeAll' },
  { pattern: /\bPatience\b/, instead: 'AdaptiveSpin' },
  { pattern: /\b(tryTake|giveBack|takeOver)\b/, instead: 'tryAcquire, release, recover' },
  { pattern: /\b(nudge|NUDGED)\b/, instead: 'wakeHint' },
  { pattern: /\bOVERTAKEN\b/, instead: 'HANDOFF_DUE' },
  { pattern: /\bisOwed\b/, instead: 'handoffPending' },
  { pattern: /\bcensus\b/, instead: 'threadTable' },
  { pattern: /\benrol\b/, instead: 'registerThread' },
  { pattern: /\b(mayAsk|findDead)\b/, instead: 'probeDue, probeDead' },
  { pattern: /\b(chores|whileBlocked|doChores)\b/, instead: 'blockedHooks, onBlocked, runBlockedHooks' },
  { pattern: /\b(Varying|onLeave|replacePart)\b/, instead: 'onSend' },
  { pattern: /\bmakeHoldable\b/, instead: 'makeOwnable' },
  { pattern: /\bAsyncQueue\b/, instead: 'AsyncWaiters' },
  { pattern: /\bprovideActions\b/, instead: 'an import of task/' },
  { pattern: /\b[Ll]etters?\b/, instead: 'message', within: /^lib\/pipe\// },
  { pattern: /\bArrival\b/, instead: 'ReceiveWaiter' },
  { pattern: typed('Wire'), instead: 'PipeEnd; messages of the manager' },
  { pattern: /\bpeerTravels\b/, instead: 'isPeerInTransit' },
  { pattern: /\b(useWay|newWay)\b/, instead: 'adoptPort, openPortFor' },
  { pattern: typed('Link'), instead: 'Rpc' },
  { pattern: typed('Asked'), instead: 'CallContext' },
  { pattern: /\bITSELF\b/, instead: 'RETURN_THIS' },
  { pattern: /\bsettleWithin\b/, instead: 'withTimeout' },
  {
    pattern: /\bMOST(_[A-Z]\w*)?\b|\bLONGEST_\w+|\bDEEPEST\b/,
    instead: 'MAX_ with what and unit',
    within: CODE_OF_PACKAGE,
  },
  { pattern: /\bLEAST_\w+/, instead: 'MIN_ with what and unit', within: CODE_OF_PACKAGE },
  { pattern: /\b(FEW|MANY|OFTEN)\b/, instead: '…_THRESHOLD with what and unit', within: CODE_OF_PACKAGE },
  { pattern: /\b[Ww]ho comes\b|\bwhat came of\b|\bof which none\b/, instead: 'subject, verb, object' },
]

export const retiredWordsGone: Rule = function* (_, sources) {
  for (const [path, source] of sources)
    for (const { pattern, instead, within } of RETIRED) {
      const found = within && !within.test(path) ? null : pattern.exec(source)
      if (found)
        yield { path, what: `says '${found[0]}' in line ${lineOf(source, found.index)}; the word is: ${instead}` }
    }
}

function lineOf(source: string, index: number): number {
  return source.slice(0, index).split('\n').length
}
