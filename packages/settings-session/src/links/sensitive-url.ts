import { inspect } from 'node:util'
import { CodedTypeError } from '@countersign/core/gate-kit'

const REDACTED = '[SensitiveUrl]'

/**
 * A URL that must reach one person and nobody else: no log, no error, no agent. It is redacted wherever a value becomes
 * text or is copied; only `reveal('deliver-to-user')` returns it.
 */
export class SensitiveUrl {
  static {
    Object.defineProperty(SensitiveUrl.prototype, inspect.custom, { value: () => REDACTED })
  }

  readonly #url: string

  /** @throws {TypeError} for what is not a URL; unlike Node's own error, it does not hold the text. */
  constructor(url: string | URL, base?: string) {
    if (!URL.canParse(String(url), base)) throw refusal('what was given is not a URL')
    this.#url = new URL(url, base).href
  }

  /**
   * The URL, for the message to the person it is for.
   *
   * @throws {TypeError} without the one argument that says so.
   */
  reveal(purpose: 'deliver-to-user'): string {
    if (purpose === 'deliver-to-user') return this.#url
    throw refusal("reveal('deliver-to-user') is the only way to read it")
  }

  toString(): string {
    return REDACTED
  }

  toJSON(): string {
    return REDACTED
  }

  [Symbol.toPrimitive](): string {
    return REDACTED
  }

  get [Symbol.toStringTag](): string {
    return 'SensitiveUrl'
  }
}

function refusal(why: string): CodedTypeError {
  return new CodedTypeError('ERR_COUNTERSIGN_SENSITIVE_URL', `SensitiveUrl: ${why}`)
}
