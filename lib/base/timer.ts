// Timers of the system, for what must go on while a program's tests have put fake ones in their place.
export const systemTimeout: typeof setTimeout = globalThis.setTimeout
