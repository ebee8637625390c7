// What an attempt to write or to read a frame came to.
export type RingResult =
  | typeof FRAME_MOVED
  | typeof NO_ROOM
  | typeof AT_MAXSIZE
  | typeof WOULD_GROW
  | typeof NO_FRAME
  | typeof FRAME_LEFT
  | typeof SHUT_DOWN
/** A frame was written, or read. */
export const FRAME_MOVED = 0
/** There are not enough bytes free, or `maxBytes` does not allow more. */
export const NO_ROOM = 1
/** There are as many frames as there may be. */
export const AT_MAXSIZE = 2
/** There are not enough bytes free unless the ring grows, which the writer asked to avoid. */
export const WOULD_GROW = 3
/** There is nothing to read. */
export const NO_FRAME = 4
export const SHUT_DOWN = 5
/** There is a frame, which the reader did not take. */
export const FRAME_LEFT = 6
