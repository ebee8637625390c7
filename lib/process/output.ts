// What a process writes, reaches the parent at once. A worker thread's stdout posts its first chunk and keeps the following
// ones until its event loop has turned; a process that then computes, or is terminated, would sit on them or take them along.

/** Post each write of this thread's stdout and stderr as it is made. */
export function postOutputAtOnce(): void {
  for (const stream of [process.stdout, process.stderr]) {
    const post = stream._writev!.bind(stream)
    stream._writev = (chunks, done) => {
      post(chunks, () => {})
      done()
    }
  }
}
