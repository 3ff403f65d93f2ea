/** What the tests of this package must show: id → what it demands. */
export const requirements: Record<string, string> = {
  'oauth-forged-headers':
    "alg none and its spellings, RS to HS confusion, alg swaps on a kid, key injection headers (the attacker's server sees no request), kid as path, SQL, NUL and __proto__",
  'oauth-strict-encoding': 'duplicate JSON members, invalid UTF-8, base64url that is not canonical',
  'oauth-bounded-parsing': '8 KiB + 1, 100 000 dots, deep JSON in under 5 ms',
  'oauth-near-misses': 'every near-miss of audience and issuer',
  'oauth-other-tokens': 'an ID token, a refresh token and a proof are not access tokens',
  'oauth-clock': 'the table of exp, nbf and iat against the tolerance',
  'oauth-random-kids': '10 000 random kids in a second: at most two fetches, and a known kid stays 200',
  'oauth-jwks-outages': 'JWKS outages: cold, warm, past stale, hung, slow body, 500, HTML, empty, huge',
  'oauth-rotation': 'a rotation just after a fetch is followed; a removed key purges what it verified',
  'oauth-ssrf': 'discovery does not lead to an internal address',
  'oauth-cache': 'the cache: mutation, two gates with other audiences, a token revoked after it was cached',
  'oauth-canary': 'a token never appears anywhere',
  'oauth-optional': 'an optional gate refuses a bad token with 401',
  'oauth-dotted-opaque': 'an opaque token with two dots is accepted by introspection',
  'oauth-verify-endpoint': 'an internal verification endpoint plugs in: { token } to { active, user_id, account_id }',
  'oauth-real-provider':
    'oidc-provider in its own process: JWT and opaque tokens, introspection, a rotation in the middle',
  'oauth-real-outages':
    'outages of the JWKS and of introspection at a real provider: refused, reset, hung, slow body, 500, HTML, empty, huge',
  'oauth-five-minute-outage': 'during a 5-minute outage a known client sees no failure, and a cold process answers 503',
  'oauth-mcp-clients':
    "the MCP SDK's clients, v1 and v2: 401, metadata, authorization, token, tool, 403, step-up, tool, and again after a rotation with no needless authorization",
  'oauth-resource-spelling':
    'the default audience accepts both spellings of a resource at the root of a host, and what a URL parser makes of a resource; metadata and challenges are exact',
  'oauth-true-descriptions': 'the description of a 400 says what is wrong with the request',
  'oauth-metadata-place':
    'challenges point to where the metadata is served: at the root, below a router, behind a proxy',
  'oauth-mcp-places':
    "the MCP SDK's clients, v1 before and after 1.30.1 and v2, at the root of a host, at a path, in routers and behind proxies: from 401 to a tool and over a step-up to the next; with and without a registration",
  'oauth-real-clients':
    'oauth4webapi and openid-client in processes of their own, with oidc-provider: metadata, registration, token, 403, step-up',
  'oauth-preflight':
    'an MCP client in a browser goes from 401 to a tool and over a step-up to the next one, with cors() and with what the guide has in its place',
  'oauth-step-up-keeps':
    'a challenge that asks for more scopes names those that the token has for other operations, and nothing of an unproven token',
  'mcp-auth-metadata': 'the metadata names at least one authorization server, at the path and at the root',
  'mcp-auth-challenge': 'a 401 has resource_metadata and the scopes that the request needs',
  'mcp-auth-insufficient-scope': 'a 403 has error, description, resource_metadata and all scopes at once',
  'mcp-auth-status': '401 for no, an invalid or an expired token, 403 for scopes, 400 for a malformed request',
  'mcp-auth-header-alone': 'a token is taken from Authorization alone, on every request',
  'mcp-auth-offline-access': 'offline_access is in no challenge and in no metadata',
  'mcp-auth-scope-hierarchy': 'a broader scope is enough where it includes the narrower ones',
  'mcp-auth-https': 'authorization servers and metadata are on https, or on this machine',
  'oauth-one-issuer': 'a token is verified with the keys of its own issuer, and sent to no other one',
  'oauth-hot-path': 'a decision that needs no I/O makes no promise and parses nothing twice',
  'oauth-redis-commands': 'with Redis one command for a cold start, none for a decision',
  'oauth-recipes': 'each recipe of the guides compiles and runs',
  'oauth-providers':
    "each preset and recipe accepts its provider's access tokens, and refuses its ID and refresh tokens and those for others",
  'oauth-presets': 'a preset demands an audience or clients, and names what is wrong',
  'oauth-linear-time': 'each parser takes time in proportion to the length of what it reads, before anything is proven',
  'oauth-sockets-end': 'the socket of a token is closed when the token expires or is revoked',
}
