/** What models of two legs have in common over the steps (R40). */

/** Reasoning that is handed on to the second leg; what is longer is cut off, and its upstream is not read any further. */
export const REASONING_BYTES_MAX = 32 * 1024
