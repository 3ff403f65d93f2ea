import { principalOf, requireOAuthBearer } from '@countersign/oauth-bearer'
import express from 'express'

const oauth = requireOAuthBearer({
  resource: 'http://localhost:3000/reports',
  issuer: 'http://localhost:4000',
  scopes: ['reports:read'],
})

const app = express()
app.use(oauth.metadata())
app.use('/reports', oauth)
app.get('/reports', (request, response) => {
  response.json({ reports: ['may', 'june'], for: principalOf(request, 'oauth-bearer').clientId })
})
app.delete('/reports/:month', oauth.scopes('reports:write'), (_request, response) => {
  response.status(204).end()
})
app.listen(3000).on('listening', () => console.log('API: http://localhost:3000/reports'))
