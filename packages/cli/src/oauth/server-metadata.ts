import { documentFlaw } from './check-resource-metadata.js'
import { exchange, type HttpAnswer, HttpFailure, type HttpSettings } from './http.js'

/** Where an issuer's metadata may be, in the order in which clients look: RFC 8414 §3.1, then OpenID Connect. */
export function placesOf(issuer: string): readonly string[] {
  const { origin, pathname } = new URL(issuer)
  const path = pathname.replace(/\/$/, '')
  return [
    `${origin}/.well-known/oauth-authorization-server${path}`,
    `${origin}/.well-known/openid-configuration${path}`,
    ...(path === '' ? [] : [`${origin}${path}/.well-known/openid-configuration`]),
  ]
}

/** An issuer's metadata and where it was. */
export interface FoundMetadata {
  readonly place: string
  readonly answer: HttpAnswer
  readonly metadata: Readonly<Record<string, unknown>>
}

/** The first place that has a document, or why none has. */
export async function findServerMetadata(issuer: string, http: HttpSettings): Promise<FoundMetadata | string> {
  const flaws: string[] = []
  for (const place of placesOf(issuer)) {
    try {
      const answer = await exchange(place, { headers: { accept: 'application/json' } }, http)
      const flaw = documentFlaw(answer)
      if (flaw === undefined && answer.json !== undefined) return { place, answer, metadata: answer.json }
      flaws.push(`${place}: ${flaw}`)
    } catch (error) {
      if (!(error instanceof HttpFailure)) throw error
      flaws.push(`${place}: ${error.message}`)
    }
  }
  return flaws.join('; ')
}
