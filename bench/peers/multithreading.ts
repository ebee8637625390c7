// The package multithreading. It counts on globals that Node has from version 21 and 22 on; here are the two that it cannot do without.
export async function importMultithreading(): Promise<typeof import('multithreading')> {
  if (!('navigator' in globalThis))
    Object.defineProperty(globalThis, 'navigator', { value: { hardwareConcurrency: 2 } })
  Promise.withResolvers ??= function withResolvers<T>() {
    let settle!: Pick<PromiseWithResolvers<T>, 'resolve' | 'reject'>
    const promise = new Promise<T>((resolve, reject) => (settle = { resolve, reject }))
    return { promise, ...settle }
  }
  return import('multithreading')
}
