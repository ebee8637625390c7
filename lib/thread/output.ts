// Output that reaches the parent at once. A worker thread's stdout posts its first chunk and keeps later ones until the parent has
// taken the first. A process that then computes would sit on them, one that is terminated would lose them, and one whose parent
// blocks (joinSync) could not end. Only a thread that is exiting does not wait for its parent: so each write claims to be exiting.

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
      done() // Not inside the try: a thread that is exiting takes no more ticks.
    }
  }
}
