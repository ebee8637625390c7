// One logger for all threads of the program, after Python's multiprocessing.get_logger and log_to_stderr. The thread that logs
// a line writes it straight to file descriptor 2: whole, in that thread's order, and even while the main thread is blocked.
//
// word   field    written by     meaning
//  0     LEVEL    setLevel       minimum level that is logged; 0: none was set, WARNING applies
//  1     STDERR   logToStderr    1: lines go to stderr; 0: nothing is logged
//
// Threads inherit the words and the format as environment data when they are started. All threads share the words, so that a
// change of the level reaches running threads, too. The format is copied: a thread has the one that its parent had when the
// thread was started, until it sets its own.
import { MAJOR } from '../copies.js'
import { Date } from '../base/clock.js'
import { checkString, refuseExcess } from '../base/validate.js'
import { writeSync } from 'node:fs'
import { format, inspect } from 'node:util'
import { getEnvironmentData, setEnvironmentData } from 'node:worker_threads'
import { load, store, type Words } from '../memory/atomics.js'
import { logEventsBy, type PackageEvent } from '../base/diagnostics.js'
import { currentProcess } from './current-process.js'
import { markUnsendable, unsendableMark } from '../transport/unsendable.js'

const UNSENDABLE_LOGGER = unsendableMark('call getLogger() there')

const LEVEL = 0
const STDERR = 1
const WORDS_KEY = `manyhands@${MAJOR}:logging`
const FORMAT_KEY = `manyhands@${MAJOR}:logging:format`
const DEFAULT_FORMAT = '[%(levelname)s/%(processName)s] %(message)s'

/** Python's levels; SUBDEBUG and SUBWARNING are multiprocessing's own. */
const LEVELS = { NOTSET: 0, SUBDEBUG: 5, DEBUG: 10, INFO: 20, SUBWARNING: 25, WARNING: 30, ERROR: 40, CRITICAL: 50 }

/** The name of a level, or its number. */
export type LogLevel = keyof typeof LEVELS | Lowercase<keyof typeof LEVELS> | number

const levelNames = new Map<number, string>(Object.entries(LEVELS).map(([name, number]) => [number, name]))

const logWords: Words = (() => {
  let memory = getEnvironmentData(WORDS_KEY) as SharedArrayBuffer | undefined
  if (!memory) setEnvironmentData(WORDS_KEY, (memory = new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT)))
  return new Int32Array(memory)
})()

function checkLevel(level: unknown): number {
  const known = typeof level === 'string' ? LEVELS[level.toUpperCase() as keyof typeof LEVELS] : level
  if (typeof known === 'number' && Number.isInteger(known) && known >= 0 && known < 2 ** 31) return known
  const allowed = `${Object.keys(LEVELS).join(', ')}, or an integer from 0 to ${2 ** 31 - 1}`
  if (typeof level === 'number') throw new RangeError(`level must be ${allowed}, not ${level}`)
  throw new TypeError(`level must be ${allowed}, not ${inspect(level)}`)
}

/** The program's logger: one level and one destination for all threads. Its methods take the arguments of `console.log`. */
export class Logger {
  constructor() {
    markUnsendable(this, UNSENDABLE_LOGGER)
  }

  /** Log nothing below this level, in any thread. @throws TypeError, RangeError no such level */
  setLevel(level: LogLevel): void {
    store(logWords, LEVEL, checkLevel(level))
  }

  /** The level as a number; 0: none was set. */
  get level(): number {
    return load(logWords, LEVEL)
  }

  /**
   * Set the format of lines, in this thread and in threads started from now on. `%(levelname)s`, `%(processName)s`,
   * `%(process)d`, `%(message)s` and `%(asctime)s` are replaced.
   * @param pattern @default '[%(levelname)s/%(processName)s] %(message)s'
   * @throws TypeError not a string
   */
  setFormat(pattern: string): void {
    checkString(pattern, 'pattern')
    setEnvironmentData(FORMAT_KEY, pattern)
  }

  /** Whether a message of this level would be logged. @throws TypeError, RangeError no such level */
  isEnabledFor(level: LogLevel): boolean {
    const minimum = load(logWords, LEVEL)
    return load(logWords, STDERR) === 1 && checkLevel(level) >= (minimum === 0 ? LEVELS.WARNING : minimum)
  }

  /** Log at any level. @throws TypeError, RangeError no such level */
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

/** The program's logger. It logs nothing until some thread calls `logToStderr`. After Python's multiprocessing.get_logger. */
export function getLogger(): Logger
export function getLogger(...excess: unknown[]): Logger {
  refuseExcess(excess, 'getLogger()')
  return logger
}

/**
 * Have all threads write the log to stderr. Calling it again does not duplicate lines. After Python's multiprocessing.log_to_stderr.
 * @param level minimum level to log. @default unchanged; WARNING if none was set
 * @throws TypeError, RangeError no such level
 */
export function logToStderr(level?: LogLevel): Logger
export function logToStderr(level?: LogLevel, ...excess: unknown[]): Logger {
  refuseExcess(excess, 'logToStderr(level)')
  if (level !== undefined) logger.setLevel(level)
  store(logWords, STDERR, 1)
  return logger
}

function writeLine(level: number, message: string): void {
  const { name, pid } = currentProcess()
  const fields: Record<string, string> = {
    levelname: levelNames.get(level) ?? `Level ${level}`,
    processName: name,
    process: String(pid),
    message,
    asctime: new Date().toISOString(),
  }
  const pattern = (getEnvironmentData(FORMAT_KEY) as string | undefined) ?? DEFAULT_FORMAT
  const line = pattern.replace(/%\((\w+)\)[sd]/g, (whole, field: string) => fields[field] ?? whole)
  writeWhole(Buffer.from(`${line}\n`))
}

/** Write all bytes. While a pipe is full, try again. */
function writeWhole(bytes: Buffer): void {
  for (let written = 0; written < bytes.length;) {
    try {
      written += writeSync(2, bytes, written)
    } catch (failure) {
      if ((failure as NodeJS.ErrnoException).code !== 'EAGAIN') return // The reader is gone. Logging must not end the program.
    }
  }
}

logEventsBy({
  wants: () => load(logWords, STDERR) === 1,
  write(event) {
    const [level, message] = describeEvent(event)
    logger.log(level, message)
  },
})

function describeEvent(event: PackageEvent): [level: number, message: string] {
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
