import { inspect } from 'node:util'

const REDACTED = '[SensitiveUrl]'

/**
 * A URL that must reach one person and nobody else: no log, no error, no agent. It is redacted wherever a value is
 * turned into text or copied; only `reveal('deliver-to-user')` gives it out.
 */
export class SensitiveUrl {
  readonly #url: string

  /** @throws {TypeError} for what is no URL; the error does not hold it, as Node's own would. */
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

  [inspect.custom](): string {
    return REDACTED
  }

  get [Symbol.toStringTag](): string {
    return 'SensitiveUrl'
  }
}

function refusal(why: string): TypeError {
  return Object.assign(new TypeError(`SensitiveUrl: ${why}`), { code: 'ERR_COUNTERSIGN_SENSITIVE_URL' })
}
