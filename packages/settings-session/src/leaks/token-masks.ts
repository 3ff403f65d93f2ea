import { TOKEN_LENGTH, TOKEN_SHAPE } from '../tokens.js'

// The bit-parallel search Shift-And (Baeza-Yates and Gonnet, 1992): bit i of a state is set when the characters read last
// are the first i + 1 of a token. A token has 64 characters, so a state is two integers of 32 bits.

/** For each byte, the places of a token where it may be: bits 0 to 31. */
export const LOW: Int32Array = new Int32Array(256)
/** Bits 32 to 63. */
export const HIGH: Int32Array = new Int32Array(256)

const classes = TOKEN_SHAPE.flatMap(([characters, count]) => Array<RegExp>(count).fill(new RegExp(`^${characters}$`)))
for (let place = 0; place < TOKEN_LENGTH; place += 1) {
  const masks = place < 32 ? LOW : HIGH
  for (let byte = 0; byte < 128; byte += 1) {
    if ((classes[place] as RegExp).test(String.fromCharCode(byte)))
      masks[byte] = (masks[byte] as number) | (1 << (place % 32))
  }
}

/** How many characters of a token a state has, at most. */
export function lengthOf(low: number, high: number): number {
  return high === 0 ? 32 - Math.clz32(low) : 64 - Math.clz32(high)
}
