// How many workers the benches that scale with cores use: `npm run bench -- map --workers=16`. Two, unless told otherwise.
const [, given] = process.argv.map((argument) => /^--workers=(\d+)$/.exec(argument)).find((match) => match) ?? []

export const WORKERS: number = Number(given ?? 2)
