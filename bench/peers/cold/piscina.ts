import { Piscina } from 'piscina'

const pool = new Piscina({ filename: new URL('square.js', import.meta.url).href, minThreads: 1, maxThreads: 2 })
console.log(await pool.run(7))
await pool.destroy()
