// The task for workerpool.
import workerpool from 'workerpool'
import inc from './inc.js'

workerpool.worker({ inc })
