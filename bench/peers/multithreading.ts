// The package multithreading. It relies on globals that Node has from versions 21 and 22 on. This file supplies the two that it needs.
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
