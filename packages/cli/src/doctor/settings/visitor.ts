import { sendRequest } from '../../send-request.js'

/** An answer, read to its end. */
export interface VisitAnswer {
  readonly status: number
  /** Where a redirect leads. */
  readonly location: URL | undefined
  /** The `Set-Cookie` lines, as they arrive. */
  readonly setCookies: readonly string[]
  readonly contentType: string
  readonly allow: string
  readonly challenge: string
  readonly body: string
}

/** A request of a {@link Visitor}. */
export interface VisitRequest {
  readonly method?: 'GET' | 'POST' | 'OPTIONS'
  readonly fields?: Readonly<Record<string, string>>
  /** What a browser says of the page that sends a form. */
  readonly saysOrigin?: boolean
}

const TIMEOUT_MS = 15_000
const MAX_BYTES = 256 * 1024

/** A browser as far as HTTP goes: it keeps cookies and follows no redirect. Proxies and audit events can know it by its name. */
export class Visitor {
  readonly #cookies = new Map<string, string>()
  readonly #signal: AbortSignal

  constructor(signal: AbortSignal) {
    this.#signal = signal
  }

  /** @throws {CommandError} when there is no answer. */
  async send(
    url: string | URL,
    { method = 'GET', fields, saysOrigin = true }: VisitRequest = {},
  ): Promise<VisitAnswer> {
    const target = new URL(url)
    const cookie = Array.from(this.#cookies, (pair) => pair.join('=')).join('; ')
    const form = fields === undefined ? undefined : new URLSearchParams(fields).toString()
    const headers = {
      // A program's answers have no words of the app's own pages.
      accept: 'application/json',
      'user-agent': 'countersign-doctor',
      ...(cookie === '' ? {} : { cookie }),
      ...(form === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
      ...(form === undefined || !saysOrigin ? {} : { origin: target.origin, 'sec-fetch-site': 'same-origin' }),
    }
    const request = { method, url: target.href, headers, body: Buffer.from(form ?? '') }
    const response = await sendRequest(request, TIMEOUT_MS, this.#signal)
    const { statusCode: status = 0, headers: had } = response
    const setCookies = had['set-cookie'] ?? []
    for (const line of setCookies) this.#keep(line)
    const chunks: Buffer[] = []
    let bytes = 0
    for await (const chunk of response) {
      chunks.push(chunk as Buffer)
      bytes += (chunk as Buffer).length
      if (bytes > MAX_BYTES) break
    }
    return {
      status,
      location:
        URL.canParse(had.location ?? '', target.href) && had.location ? new URL(had.location, target) : undefined,
      setCookies,
      contentType: had['content-type'] ?? '',
      allow: had.allow ?? '',
      challenge: had['www-authenticate'] ?? '',
      body: Buffer.concat(chunks).toString(),
    }
  }

  #keep(line: string): void {
    const [, name = '', value = ''] = /^([^=;]+)=([^;]*)/.exec(line) ?? []
    if (value === '') this.#cookies.delete(name)
    else this.#cookies.set(name, value)
  }
}

/** The line that sets the cookie whose name ends so; `isGone` for one that deletes it. */
export function cookieLine(answer: VisitAnswer, ending: string, isGone = false): string | undefined {
  return answer.setCookies.find((line) => {
    const [, name = '', value = ''] = /^([^=;]+)=([^;]*)/.exec(line) ?? []
    return name.endsWith(ending) && (value === '') === isGone
  })
}
