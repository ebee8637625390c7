// What the operating system reports about the threads of this process. Only Linux does, in /proc, which no other file reads.
import { existsSync, readFileSync } from 'node:fs'

/** A thread of the system. The system reuses numbers: number and start together mean one thread. */
export interface ThreadStat {
  number: number
  /** Ticks since boot, truncated to 32 bits. */
  startedAt: number
}

/**
 * Read the stat line of a thread of this process. Costs some 20 µs.
 * @returns 'gone': there is no such thread (of 'self': there is no /proc); 'unknown': the system does not answer
 */
export function readThreadStat(thread: number | 'self'): ThreadStat | 'gone' | 'unknown' {
  const file = `/proc/${thread === 'self' ? 'thread-self' : `self/task/${thread}`}/stat`
  let text: string
  try {
    text = readFileSync(file, 'latin1')
  } catch (failure) {
    // Not: any failure means gone. Out of file descriptors, every thread would seem dead; to see whether it exists takes none.
    const { code } = failure as NodeJS.ErrnoException
    if (code === 'EMFILE' && existsSync('/proc/self/stat') && !existsSync(file)) return 'gone'
    return code === 'ENOENT' || code === 'ESRCH' ? 'gone' : 'unknown'
  }
  // "4711 (name) state …": a name may hold spaces and brackets. Field 22 is the start.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return { number: Number.parseInt(text), startedAt: Number(fields[19]) | 0 }
}
