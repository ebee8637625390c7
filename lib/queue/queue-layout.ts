// The shared memory of a queue, in one table: the ring's words (ring.ts, ring-segments.ts) and the queue's own (queue-state.ts).
//
// Words that different sides write are at least 128 bytes apart: a cache line that two sides write travels from core to core.
// For the same reason each side keeps what it last saw of the other (SEEN_HEAD, SEEN_TAIL), and looks again only when that is used up.
//
// Invariant: TAIL - HEAD bytes are written and unread, and lie in the segments READ_SEGMENT to WRITE_SEGMENT.

// prettier-ignore
export const
  // Written by writers, with WRITE_LOCK held.
  WRITE_LOCK = 0,           // lock word, 0 and 1: see lib/sync/lock-word.ts
  WRITE_COUNT = 3,          // frames ever published, mod 2^32
  COUNTED_TAIL = 4,         // the TAIL for which WRITE_COUNT holds
  ALLOWED_HEAD = 5,         // the HEAD that was last seen for MAX_BYTES
  SEEN_HEAD = 8,            // + k: the HEAD last seen, or the position at which segment k begins

  // The same, but rarely; both sides read them.
  WRITE_SEGMENT = 32,       // the segment that is written
  RING_STATE = 33,          // OPEN, DRAINING or DISCARDED
  SEGMENT_START = 40,       // + k: the position at which segment k begins

  // Written by readers, with READ_LOCK held.
  READ_LOCK = 64,           // lock word, 64 and 65
  HEAD = 66,                // position: bytes ever read, mod 2^32. Its store takes a frame
  READ_COUNT = 67,          // frames ever read, mod 2^32
  READ_SEGMENT = 68,        // the segment of the last frame that was read, or an older one
  DISCARD_COUNT = 69,       // frames that were discarded unread
  SEEN_TAIL = 70,           // the TAIL last seen; meaningless in DISCARDED

  // Written by the thread that makes the queue, before it is shared.
  MAXSIZE = 96,             // maximum number of unread messages; 0: no maximum
  LAST_SEGMENT = 97,        // the index of the last segment that there may be
  FIRST_SEGMENT_LOG2 = 98,  // log2 of the bytes of segment 0
  MAX_BYTES = 99,           // maximum bytes of all unread payloads, each padded, and of one message

  // Event counts, three words each (event-count.ts).
  GETTERS = 128,            // woken when a message was put, or the queue shut down
  PUTTERS = 160,            // woken when a message was got, or the queue shut down
  JOINERS = 193,            // woken when a task is done or found lost, or the queue shut down

  // Written by writers, with WRITE_LOCK held. Far from their other words: readers watch it.
  TAIL = 224,               // position: bytes ever written, mod 2^32. Its store publishes a frame

  // The segments, one after another. Segment k has (1 << FIRST_SEGMENT_LOG2) << k bytes.
  SEGMENTS = 256

// RING_STATE goes up only.
/** Frames are written and read. */
export const OPEN = 0
/** No more frames are written; those that are left are read. */
export const DRAINING = 1
/** No more frames are written or read. */
export const DISCARDED = 2

// A frame starts at a multiple of 8 bytes, with the payload after two words, padded to 8 bytes.
//   0  payload length in bytes
//   1  tag of the codec in bits 27 to 31; in the others the index, the number of the frame mod 2^27: more frames never fit
export const FRAME_HEADER_BYTES = 8
export const TAG_SHIFT = 27
export const INDEX_MASK: number = 2 ** TAG_SHIFT - 1

/** Maximum bytes of a payload. Bounds the index: two segments of this size hold fewer than 2^27 frames. */
export const MAX_PAYLOAD_BYTES: number = 2 ** 29

export const paddedTo8 = (length: number): number => (length + 7) & ~7
