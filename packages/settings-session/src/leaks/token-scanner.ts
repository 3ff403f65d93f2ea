import { beginsInBase64 } from './base64-matcher.js'
import { LOW } from './token-masks.js'
import { TokenMatcher } from './token-matcher.js'
import { beginsEscape, Unescaper } from './unescaper.js'

/** How often a text may have been escaped: `\\u0026#37;2e` is percent in HTML in JSON. */
const LEVELS = 3

const [PLAIN, BEGINS_TOKEN, LOOK_CLOSELY] = [0, 1, 2]
const ONE = '1'.charCodeAt(0)

/** What a character may begin, by its code. */
const KINDS: Uint8Array = new Uint8Array(256)
for (let code = 0; code < 256; code += 1) {
  const isFirst = ((LOW[code] as number) & 1) === 1
  KINDS[code] = code === 0 || beginsEscape(code) ? LOOK_CLOSELY : isFirst ? BEGINS_TOKEN : PLAIN
}

/**
 * Finds a token of ours in a stream of bytes, as it is or as what a program or a chat bot makes of it: escaped for JSON,
 * HTML, URLs or MarkdownV2, some levels deep, in base64, in UTF-16. It reads each byte once.
 */
export class TokenScanner {
  private readonly raw = new TokenMatcher()
  private readonly plain = new TokenMatcher()
  private readonly levels: readonly Unescaper[]
  private read = 0

  constructor() {
    const levels: Unescaper[] = []
    for (let level = 0; level < LEVELS; level += 1) levels.unshift(new Unescaper(levels[0] ?? this.plain))
    this.levels = levels
  }

  /** Bytes that were read. */
  get position(): number {
    return this.read
  }

  /** Reads the next bytes. True when a token has ended in them. */
  feed(bytes: Uint8Array): boolean {
    const [outermost] = this.levels as [Unescaper]
    let isQuiet = this.isQuiet()
    for (let index = 0; index < bytes.length; index += 1) {
      if (isQuiet) {
        index = this.skip(bytes, index)
        if (index === bytes.length) break
      }
      const code = bytes[index] as number
      // UTF-16.
      if (code === 0) continue
      const place = this.read + index
      this.raw.push(code, place)
      outermost.push(code, place)
      if (this.hasFound()) return true
      isQuiet = this.isQuiet()
    }
    this.read += bytes.length
    return false
  }

  /** The stream has ended. True when its end has completed a token. */
  end(): boolean {
    for (const level of this.levels) level.end()
    return this.hasFound()
  }

  /** The first byte of what may still become a token; the {@link position} when there is none. */
  keepFrom(): number {
    let from = Math.min(this.read, this.raw.earliest(), this.plain.earliest())
    for (const level of this.levels) from = Math.min(from, level.earliest())
    return from
  }

  private hasFound(): boolean {
    return this.raw.found || this.plain.found
  }

  /** Whether nothing has begun, so that all parts know the same. */
  private isQuiet(): boolean {
    const { raw, plain, levels } = this
    if (!raw.isQuiet() || !plain.isQuiet() || raw.base64.last !== plain.base64.last) return false
    for (const level of levels) if (!level.isQuiet()) return false
    return true
  }

  /** The first character from `index` on with which something may begin. */
  private skip(bytes: Uint8Array, index: number): number {
    const last = bytes.length - 1
    let at = index
    for (; at <= last; at += 1) {
      const code = bytes[at] as number
      const kind = KINDS[code]
      if (kind === LOOK_CLOSELY) break
      if (kind === BEGINS_TOKEN) {
        const following = at === last ? ONE : (bytes[at + 1] as number)
        if (following === ONE || KINDS[following] === LOOK_CLOSELY) break
      }
      const former = at === 0 ? this.raw.base64.last : (bytes[at - 1] as number)
      if (at === 0 ? former >= 0 : former === 0 || beginsInBase64(former, code)) break
    }
    if (at > index) {
      const place = this.read + at - 1
      this.raw.base64.resume(bytes[at - 1] as number, place)
      this.plain.base64.resume(bytes[at - 1] as number, place)
    }
    return at
  }
}

/** Whether a token of ours is in a text. */
export function holdsToken(text: string): boolean {
  const scanner = new TokenScanner()
  return scanner.feed(Buffer.from(text)) || scanner.end()
}
