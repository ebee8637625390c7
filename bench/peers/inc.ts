// The task of piscina and tinypool.
export default (n: number): number => n + 1
