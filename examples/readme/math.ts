export function hypotenuse(a: number, b: number): number {
  return Math.sqrt(a * a + b * b)
}
