import type { IncomingMessage, ServerResponse } from 'node:http'
import type { TestIssuer } from './test-issuer.js'

export interface Asked {
  readonly form: URLSearchParams
  readonly headers: IncomingMessage['headers']
}

export interface Introspector {
  readonly asked: Asked[]
  /** What it says of each token; others are inactive. A function answers in its own way. */
  readonly tokens: Map<string, object | ((response: ServerResponse) => void)>
}

/** Gives an issuer an introspection endpoint. */
export function addIntrospection(issuer: TestIssuer, path = '/introspect'): Introspector {
  const introspector: Introspector = { asked: [], tokens: new Map() }
  issuer.metadata = { ...issuer.metadata, introspection_endpoint: `${issuer.url}${path}` }
  issuer.answer(path, (request, response) => {
    let body = ''
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString()
    })
    request.on('end', () => {
      const form = new URLSearchParams(body)
      introspector.asked.push({ form, headers: request.headers })
      const known = introspector.tokens.get(form.get('token') ?? '')
      if (typeof known === 'function') return known(response)
      response.setHeader('content-type', 'application/json')
      response.end(JSON.stringify(known ?? { active: false }))
    })
  })
  return introspector
}
