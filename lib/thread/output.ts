// What a process writes, reaches the parent at once. A worker thread's stdout posts its first chunk and keeps the following
// ones until the parent has taken it; a process that then computes, or is terminated, would sit on them or take them along,
// and one whose parent is blocked (joinSync) could not end. Only a thread that is exiting does not wait for its parent.

/** Post each write of this thread's stdout and stderr as it is made. */
export function postOutputAtOnce(): void {
  const thread: NodeJS.Process & { _exiting?: boolean } = process
  for (const stream of [process.stdout, process.stderr]) {
    const post = stream._writev!.bind(stream)
    stream._writev = (chunks, done) => {
      const exiting = thread._exiting
      thread._exiting = true
      try {
        post(chunks, () => {})
      } finally {
        thread._exiting = exiting
      }
      done() // not within: a thread that is exiting takes no more ticks
    }
  }
}
