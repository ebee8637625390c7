// One logger for all threads of the program, after Python's multiprocessing.get_logger and log_to_stderr. A line is written by
// the thread that logs it, straight to file descriptor 2: whole, in that thread's order, and also while the main thread is blocked.
//
// word   field    written by                        meaning
//  0     LEVEL    whoever sets the level            what is below is not logged; 0: nothing was set, nothing is logged
//  1     STDERR   logToStderr                       1: lines go to stderr
//
// The words, and the format with them, reach every thread through the environment data that threads inherit; threads that run
// already have the words. The format is that of the thread that logs, as it was when the thread was started, or set in it.
import { checkString } from '../base/validate.js'
import { writeSync } from 'node:fs'
import { format, inspect } from 'node:util'
import { getEnvironmentData, setEnvironmentData } from 'node:worker_threads'
import { load, store, type Words } from '../memory/atomics.js'
import { logEventsBy, type PackageEvent } from '../base/diagnostics.js'
import { currentProcess } from './current-process.js'

const LEVEL = 0
const STDERR = 1
const KEY = 'manyhands:logging'
const FORMAT_KEY = 'manyhands:logging:format'
const DEFAULT_FORMAT = '[%(levelname)s/%(processName)s] %(message)s'

/** Python's levels; SUBDEBUG and SUBWARNING are multiprocessing's own. */
const LEVELS = { NOTSET: 0, SUBDEBUG: 5, DEBUG: 10, INFO: 20, SUBWARNING: 25, WARNING: 30, ERROR: 40, CRITICAL: 50 }

/** The name of a level, or its number. */
export type LogLevel = keyof typeof LEVELS | Lowercase<keyof typeof LEVELS> | number

const names = new Map<number, string>(Object.entries(LEVELS).map(([name, number]) => [number, name]))

const words: Words = (() => {
  let memory = getEnvironmentData(KEY) as SharedArrayBuffer | undefined
  if (!memory) setEnvironmentData(KEY, (memory = new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT)))
  return new Int32Array(memory)
})()

function checkLevel(level: unknown): number {
  const known = typeof level === 'string' ? LEVELS[level.toUpperCase() as keyof typeof LEVELS] : level
  if (typeof known === 'number' && Number.isInteger(known) && known >= 0 && known < 2 ** 31) return known
  const allowed = `${Object.keys(LEVELS).join(', ')} or an integer from 0`
  if (typeof level === 'number') throw new RangeError(`level must be ${allowed}, not ${level}`)
  throw new TypeError(`level must be ${allowed}, not ${inspect(level)}`)
}

/** The logger of the program: the same level and destination in all threads. Its methods take what `console.log` takes. */
export class Logger {
  /** Log nothing below this level, in any thread. @throws TypeError, RangeError */
  setLevel(level: LogLevel): void {
    store(words, LEVEL, checkLevel(level))
  }

  /** The number of the level; 0: none was set. */
  get level(): number {
    return load(words, LEVEL)
  }

  /**
   * How lines look, in this thread and those that are started from now on: `%(levelname)s`, `%(processName)s`, `%(process)d`,
   * `%(message)s` and `%(asctime)s` are replaced.
   * @default '[%(levelname)s/%(processName)s] %(message)s'
   */
  setFormat(pattern: string): void {
    checkString(pattern, 'a format')
    setEnvironmentData(FORMAT_KEY, pattern)
  }

  /** Whether something of this level would be logged. */
  isEnabledFor(level: LogLevel): boolean {
    const least = load(words, LEVEL)
    return load(words, STDERR) === 1 && checkLevel(level) >= (least === 0 ? LEVELS.WARNING : least)
  }

  /** Log at any level. */
  log(level: LogLevel, ...message: unknown[]): void {
    const number = checkLevel(level)
    if (this.isEnabledFor(number)) writeLine(number, format(...message))
  }

  debug(...message: unknown[]): void {
    this.log(LEVELS.DEBUG, ...message)
  }
  info(...message: unknown[]): void {
    this.log(LEVELS.INFO, ...message)
  }
  warning(...message: unknown[]): void {
    this.log(LEVELS.WARNING, ...message)
  }
  error(...message: unknown[]): void {
    this.log(LEVELS.ERROR, ...message)
  }
  critical(...message: unknown[]): void {
    this.log(LEVELS.CRITICAL, ...message)
  }
}

const logger = new Logger()

/** The logger of the program. It logs nowhere until `logToStderr` is called, in any thread. */
export function getLogger(): Logger {
  return logger
}

/**
 * Have the log written to stderr, by all threads. Calling it again adds no second line.
 * @param level what to log at least @default as it was; WARNING where none was set
 * @throws TypeError, RangeError
 */
export function logToStderr(level?: LogLevel): Logger {
  if (level !== undefined) logger.setLevel(level)
  store(words, STDERR, 1)
  return logger
}

function writeLine(level: number, message: string): void {
  const { name, pid } = currentProcess()
  const fields: Record<string, string> = {
    levelname: names.get(level) ?? `Level ${level}`,
    processName: name,
    process: String(pid),
    message,
    asctime: new Date().toISOString(),
  }
  const pattern = (getEnvironmentData(FORMAT_KEY) as string | undefined) ?? DEFAULT_FORMAT
  const line = pattern.replace(/%\((\w+)\)[sd]/g, (whole, field: string) => fields[field] ?? whole)
  writeWhole(Buffer.from(`${line}\n`))
}

/** A pipe may be full for a moment: what it did not take is written when it does. */
function writeWhole(bytes: Buffer): void {
  for (let written = 0; written < bytes.length;) {
    try {
      written += writeSync(2, bytes, written)
    } catch (failure) {
      if ((failure as NodeJS.ErrnoException).code !== 'EAGAIN') return // Nobody reads it any more: logging ends no program.
    }
  }
}

logEventsBy({
  wants: () => load(words, STDERR) === 1,
  write(event) {
    const [level, message] = describe(event)
    logger.log(level, message)
  },
})

function describe(event: PackageEvent): [level: number, message: string] {
  switch (event.event) {
    case 'started':
      return [LEVELS.INFO, `${event.name} started as thread ${event.pid}`]
    case 'ended':
      return [LEVELS.INFO, `${event.name} (thread ${event.pid}) ended with exit code ${event.exitcode}`]
    case 'workerDied':
      return [LEVELS.WARNING, `a worker (thread ${event.pid}) died with exit code ${event.exitcode}`]
    case 'broken':
      return [LEVELS.ERROR, event.message]
    case 'abandoned':
      return [LEVELS.WARNING, `thread ${event.pid} ended while it held a lock`]
    case 'recovered':
      return [LEVELS.INFO, 'a lock of a dead thread was recovered']
    default:
      return event satisfies never
  }
}
