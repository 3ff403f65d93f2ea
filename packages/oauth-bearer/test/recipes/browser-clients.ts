import { requireOAuthBearer } from '@countersign/oauth-bearer'
import cors from 'cors'
import express, { type RequestHandler } from 'express'

export function forBrowsers(baseUrl: string, issuer: string, handler: RequestHandler) {
  const oauth = requireOAuthBearer({ resource: `${baseUrl}/mcp`, issuer, scopes: ['mcp'] })
  const app = express()
  app.use(oauth.metadata())
  app.use(cors({ exposedHeaders: ['Mcp-Session-Id'] }))
  app.all('/mcp', oauth, express.json(), handler)
  return app
}
