// An authorization server, in the place of the one that you have.
import { Provider } from 'oidc-provider'

const SCOPES = 'mcp reports:read reports:write'

const provider = new Provider('http://localhost:4000', {
  clients: [
    {
      client_id: 'reports',
      client_secret: 'the-secret-of-this-client',
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
    },
  ],
  scopes: SCOPES.split(' '),
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    // A token is for the resource that its client asked for (RFC 8707).
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (_context, resource) => ({
        scope: SCOPES,
        audience: resource,
        accessTokenFormat: 'jwt',
        accessTokenTTL: 600,
      }),
    },
  },
})
provider.listen(4000).on('listening', () => console.log('issuer: http://localhost:4000'))
