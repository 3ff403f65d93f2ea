import { HIGH, LOW, lengthOf } from './token-masks.js'

/** The six bits of each character of base64 and base64url; -1 for any other. */
const SEXTETS: Int8Array = new Int8Array(256).fill(-1)
'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'.split('').forEach((character, value) => {
  SEXTETS[character.charCodeAt(0)] = value
})
SEXTETS['-'.charCodeAt(0)] = 62
SEXTETS['_'.charCodeAt(0)] = 63

/** Two sextets that follow each other: whether a byte that begins in the first one may be the first of a token. */
const BEGINNINGS: Uint8Array = new Uint8Array(64 * 64)
for (let pair = 0; pair < BEGINNINGS.length; pair += 1) {
  BEGINNINGS[pair] = [4, 2, 0].some((shift) => isSet((LOW[(pair >> shift) & 255] as number) & 1)) ? 1 : 0
}

/** Whether a token may begin in the first of two characters, in base64. */
export function beginsInBase64(former: number, latter: number): boolean {
  const [first, second] = [SEXTETS[former] as number, SEXTETS[latter] as number]
  return first >= 0 && second >= 0 && BEGINNINGS[(first << 6) | second] === 1
}

/**
 * The masks of a byte of which only the first `bits` bits are known: the places of a token where such a byte may be.
 * By these bits.
 */
const PARTIAL = [6, 4, 2].map((bits) => {
  const [low, high] = [new Int32Array(1 << bits), new Int32Array(1 << bits)]
  for (let byte = 0; byte < 256; byte += 1) {
    const known = byte >> (8 - bits)
    low[known] = (low[known] as number) | (LOW[byte] as number)
    high[known] = (high[known] as number) | (HIGH[byte] as number)
  }
  return { bits, low, high }
})

/** Characters whose places are remembered: more than the 87 that a token has. */
const REMEMBERED = 128
/** At the end of a line, the states that are held: three bytes are known, so no text ends like this by chance. */
const HELD = ~0b11

function isSet(bits: number): boolean {
  return bits !== 0
}

/**
 * Finds a token in a text in base64, in which it may begin at any character: there are four ways to take the characters
 * in fours, and each has its own state. A line may be folded in it.
 */
export class Base64Matcher {
  private readonly low = new Int32Array(4)
  private readonly high = new Int32Array(4)
  private readonly places = new Float64Array(REMEMBERED)
  private count = 0
  private former = -1
  private breaks = 0
  /** Whether a byte of a token has been read in one of the ways. */
  private isAlive = false

  /** Reads a character that begins at a place of the stream. True when it ends a token. */
  push(code: number, place: number): boolean {
    const sextet = SEXTETS[code] as number
    if (sextet < 0) {
      this.pause(code)
      return false
    }
    const index = this.count
    this.count = index + 1
    this.places[index % REMEMBERED] = place
    this.breaks = 0
    const former = this.former
    this.former = sextet
    if (former < 0) return false
    const pair = (former << 6) | sextet
    if (!this.isAlive && BEGINNINGS[pair] === 0) return false
    const isWhole = this.step(index - 1, pair >> 4) || this.step(index - 2, pair >> 2) || this.step(index - 3, pair)
    this.isAlive = this.states() !== 0
    return isWhole
  }

  private step(way: number, bits: number): boolean {
    const at = way & 3
    const byte = bits & 255
    const low = this.low[at] as number
    this.low[at] = ((low << 1) | 1) & (LOW[byte] as number)
    const high = (((this.high[at] as number) << 1) | (low >>> 31)) & (HIGH[byte] as number)
    this.high[at] = high
    return high < 0
  }

  /** A line break may fold a token; anything else ends it. */
  private pause(code: number): void {
    if (this.former < 0) return
    this.breaks += 1
    const isFold = (code === 10 || code === 13) && this.breaks <= 2
    if (!isFold || this.isQuiet()) this.clear()
  }

  private clear(): void {
    if (this.isAlive) {
      this.low.fill(0)
      this.high.fill(0)
      this.isAlive = false
    }
    this.former = -1
    this.breaks = 0
  }

  private states(): number {
    const { low, high } = this
    let all = 0
    for (let way = 0; way < 4; way += 1) all |= (low[way] as number) | (high[way] as number)
    return all
  }

  /** Whether nothing is known but the last character. */
  isQuiet(): boolean {
    return !this.isAlive
  }

  /** The character read last, or that none was of base64: two quiet matchers that agree in it agree in all. */
  get last(): number {
    return this.former
  }

  /** Continues after characters among which no token began: the last of them, and its place. */
  resume(code: number, place: number): void {
    this.former = SEXTETS[code] as number
    this.breaks = 0
    this.places[(this.count - 1) & (REMEMBERED - 1)] = place
  }

  /**
   * Where a token begins that may still be completed; Infinity when there is none. The first two bytes of one at the end of
   * a line are no reason to hold the line: they tell nothing. So this may be a place that was sent already.
   */
  earliest(): number {
    const last = this.count - 1
    let from = Number.POSITIVE_INFINITY
    if (this.former < 0) return from
    for (let way = 0; way < 4; way += 1) {
      const bits = this.bitsOf(way, PARTIAL[(last - way) & 3])
      if (bits === 0) continue
      from = Math.min(from, this.places[(last + 1 - Math.ceil(bits / 6)) & (REMEMBERED - 1)] as number)
    }
    return from
  }

  /** How many bits of a token were read one way, those of the byte that is not whole included. */
  private bitsOf(way: number, partial: (typeof PARTIAL)[number] | undefined): number {
    const isFolded = this.breaks > 0
    const low = (this.low[way] as number) & (isFolded ? HELD : -1)
    const high = this.high[way] as number
    if (isFolded && (low | high) === 0) return 0
    if (partial === undefined) return 8 * lengthOf(low, high)
    const known = this.former & ((1 << partial.bits) - 1)
    const length = lengthOf(
      ((low << 1) | 1) & (partial.low[known] as number),
      ((high << 1) | (low >>> 31)) & (partial.high[known] as number),
    )
    return length === 0 ? 0 : 8 * (length - 1) + partial.bits
  }
}
