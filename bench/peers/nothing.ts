// The target of the bench `process-start`, in a module of its own, which imports the package and no more.
import { task } from 'manyhands'

export const nothing = task(import.meta.url, function nothing() {})
