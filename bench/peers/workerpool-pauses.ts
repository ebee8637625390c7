// The tasks of the bench `idle`, for workerpool.
import workerpool from 'workerpool'
import { compute, sleep } from './pauses.js'

workerpool.worker({ compute, sleep })
