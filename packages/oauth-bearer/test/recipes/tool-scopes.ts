import type { OAuthBearerGate } from '@countersign/oauth-bearer'
import type { RequestHandler } from 'express'

/** Requires more scopes for some tools. The 403 names the missing scopes, so the client can step up. */
export function toolScopes(oauth: OAuthBearerGate, scopes: Readonly<Record<string, string>>): RequestHandler {
  const gates = new Map(Object.entries(scopes).map(([tool, scope]) => [tool, oauth.scopes(scope)]))
  return (request, response, next) => {
    // An unparsed body would count as one that calls no tool, although the MCP handler might still read it.
    if (request.method === 'POST' && request.body === undefined) return void response.status(415).end()
    const messages: unknown[] = Array.isArray(request.body) ? request.body : [request.body]
    const tools = messages.map((message) => (message as { params?: { name?: unknown } } | undefined)?.params?.name)
    const needed = tools.flatMap((tool) => (typeof tool === 'string' ? (gates.get(tool) ?? []) : []))
    const pass = (index: number): void => {
      const gate = needed[index]
      if (gate === undefined) next()
      else gate(request, response, () => pass(index + 1))
    }
    pass(0)
  }
}
