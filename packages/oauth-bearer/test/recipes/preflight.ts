import type { RequestHandler } from 'express'

/** Answers preflights, and lets scripts of every origin read what follows. Mount it before the gate. */
export const openToScripts: RequestHandler = (request, response, next) => {
  response.set({ 'Access-Control-Allow-Origin': '*', 'Access-Control-Expose-Headers': 'Mcp-Session-Id' })
  const asked = request.headers['access-control-request-headers']
  if (request.method !== 'OPTIONS' || request.headers['access-control-request-method'] === undefined) return next()
  response.set({ 'Access-Control-Allow-Methods': 'GET, POST, DELETE', 'Access-Control-Allow-Headers': asked ?? '*' })
  response.status(204).end()
}
