// The task of the pools that load a file.
export default (n: number): number => n * n
