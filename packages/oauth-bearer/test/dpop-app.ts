import { request } from 'node:http'
import type { RequireOAuthBearerOptions } from '@countersign/oauth-bearer'
import { type DpopKey, type DpopProofOptions, dpopKey, dpopProof } from '../../../test/support/dpop-proof.js'
import { type Harness, type HarnessOptions, oauthApp, RESOURCE } from './harness.js'
import type { TokenParts } from './test-issuer.js'

const ORIGIN = new URL(RESOURCE).origin

export interface Call {
  /** Default: a token that is bound to the key. */
  readonly token?: string
  /** Default `DPoP`. */
  readonly scheme?: string
  /** The lines of `DPoP`; by default one good proof. */
  readonly proofs?: readonly string[]
  /** What is different about that proof. */
  readonly proof?: Partial<DpopProofOptions>
  readonly method?: string
  readonly path?: string
  readonly headers?: Record<string, string>
}

export interface Answer {
  readonly status: number
  readonly headers: Record<string, string | string[] | undefined>
  readonly challenge: string
  readonly json: Record<string, unknown>
}

export interface DpopApp {
  readonly app: Harness
  readonly key: DpopKey
  /** A token that is bound to the key. */
  boundToken(claims?: Record<string, unknown>, parts?: TokenParts): Promise<string>
  proof(token: string, options?: Partial<DpopProofOptions>): Promise<string>
  call(options?: Call): Promise<Answer>
  /** `status reason part` of a call. */
  outcome(options?: Call): Promise<string>
}

/** An app that checks proofs, its issuer, and a client that has a key. */
export async function dpopApp(
  dpop: RequireOAuthBearerOptions['dpop'] = 'accepted',
  options: HarnessOptions = {},
  algorithm = 'ES256',
): Promise<DpopApp> {
  const app = await oauthApp({ dpop, ...options })
  const key = await dpopKey(algorithm)
  const boundToken = (claims: Record<string, unknown> = {}) =>
    app.token({ claims: { cnf: { jkt: key.jkt }, ...claims } })
  const proof = (token: string, rest: Partial<DpopProofOptions> = {}) =>
    dpopProof({ key, token, url: `${ORIGIN}/`, now: (options.clock ?? app.clock).now(), ...rest })

  async function call(one: Call = {}): Promise<Answer> {
    const { scheme = 'DPoP', method = 'GET', path = '/', headers = {} } = one
    const token = one.token ?? (await boundToken())
    const proofs = one.proofs ?? [await proof(token, { method, url: `${ORIGIN}${path}`, ...one.proof })]
    return send(`${app.url}${path}`, method, { authorization: `${scheme} ${token}`, dpop: proofs, ...headers })
  }

  return {
    app,
    key,
    boundToken,
    proof,
    call,
    async outcome(one) {
      const { status } = await call(one)
      const part = app.events.at(-1)?.attributes?.part
      return [status, app.last(), ...(part === undefined ? [] : [part])].join(' ')
    },
  }
}

/** With `node:http`: `fetch` joins two lines of one field. */
async function send(url: string, method: string, headers: Record<string, string | readonly string[]>): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const lines = Object.entries(headers).flatMap(([name, value]) =>
      [value].flat().flatMap((one) => [name, one as string]),
    )
    const sent = request(
      url,
      { method, headers: [...lines, 'host', new URL(url).host, 'connection', 'close'] as never },
      (response) => {
        let text = ''
        response.setEncoding('utf8').on('data', (chunk) => {
          text += chunk
        })
        response.on('end', () => {
          const { statusCode: status = 0, headers: fields } = response
          const json = text.startsWith('{') ? (JSON.parse(text) as Record<string, unknown>) : {}
          resolve({ status, headers: fields, challenge: String(fields['www-authenticate'] ?? ''), json })
        })
      },
    )
    sent.on('error', reject).end()
  })
}
