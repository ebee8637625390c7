import { Tinypool } from 'tinypool'

const pool = new Tinypool({ filename: new URL('square.js', import.meta.url).href, minThreads: 1, maxThreads: 2 })
console.log(await pool.run(7))
await pool.destroy()
