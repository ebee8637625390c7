// The task for poolifier.
import { ThreadWorker } from 'poolifier'
import inc from './inc.js'

export default new ThreadWorker<number, number>((n) => inc(n!))
