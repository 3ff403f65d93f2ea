import { Base64Matcher } from './base64-matcher.js'
import { HIGH, LOW, lengthOf } from './token-masks.js'

/** Finds a token in a text, as it is and in base64. */
export class TokenMatcher {
  readonly base64: Base64Matcher = new Base64Matcher()
  private low = 0
  private high = 0
  private count = 0
  private readonly places = new Float64Array(64)
  private hasFound = false

  /** Whether a token was read. */
  get found(): boolean {
    return this.hasFound
  }

  /** Reads a character that begins at a place of the stream. */
  push(code: number, place: number): void {
    this.places[this.count & 63] = place
    this.count += 1
    const low = this.low
    this.low = ((low << 1) | 1) & (LOW[code] as number)
    this.high = ((this.high << 1) | (low >>> 31)) & (HIGH[code] as number)
    if (this.base64.push(code, place) || this.high < 0) this.hasFound = true
  }

  /** Whether no token has begun. */
  isQuiet(): boolean {
    return (this.low | this.high) === 0 && this.base64.isQuiet()
  }

  /** Where a token begins that may still be completed; Infinity when there is none. */
  earliest(): number {
    const length = lengthOf(this.low, this.high)
    const plain = length === 0 ? Number.POSITIVE_INFINITY : (this.places[(this.count - length) & 63] as number)
    return Math.min(plain, this.base64.earliest())
  }
}
