// Writing to this thread's own stdout or stderr while its event loop stands still.
//
// Node writes to a pipe or a socket by its event loop as soon as the reader is behind by 64 KiB. What it could not write until
// `process.exit` is lost. So a blocked thread writes to the file itself, and learns how much the reader has taken.
// Not: always. What this thread prints meanwhile would land within a chunk that is written in part.
import { writeSync } from 'node:fs'
import { isMainThread } from 'node:worker_threads'
import type { OutputName } from './output.js'

const FILES: Record<OutputName, number> = { stdout: 1, stderr: 2 }

/** Whether it is a pipe or a socket, with no earlier write under way, and no `write` that the program has put in place of Node's. */
export function canWriteNow(name: OutputName): boolean {
  const stream = process[name] as NodeJS.WriteStream & { _type?: string; fd?: number }
  // On Windows Node itself waits for the reader. Files and terminals are always waited for.
  if (!isMainThread || process.platform === 'win32' || stream._type !== 'pipe') return false
  return stream.fd === FILES[name] && stream.writableLength === 0 && stream.writable && !Object.hasOwn(stream, 'write')
}

/** @returns how many bytes the reader has taken; `undefined` if it takes no more */
export function writeNow(name: OutputName, bytes: Uint8Array): number | undefined {
  let written = 0
  try {
    while (written < bytes.length) written += writeSync(FILES[name], bytes, written)
  } catch (failure) {
    if ((failure as NodeJS.ErrnoException).code !== 'EAGAIN') return undefined
  }
  return written
}
