/** What the tests of this package must show: id → what it demands. */
export const requirements: Record<string, readonly [demand: string, source: string]> = {
  'oauth-forged-headers': [
    "alg none and its spellings, RS to HS confusion, alg swaps on a kid, key injection headers (the attacker's server sees no request), kid as path, SQL, NUL and __proto__",
    'RFC 8725 §3.1; RFC 8725 §3.10; ASVS 9.1.2; ASVS 9.1.3',
  ],
  'oauth-strict-encoding': [
    'duplicate JSON members, invalid UTF-8, base64url that is not canonical',
    'RFC 7515 §4; RFC 7519 §4; RFC 8725 §3.7; RFC 4648 §3.5',
  ],
  'oauth-bounded-parsing': ['8 KiB + 1, 100 000 dots, deep JSON in under 5 ms', 'ASVS 15.2.2'],
  'oauth-near-misses': ['every near-miss of audience and issuer', 'RFC 9068 §4; RFC 7519 §2; ASVS 9.2.3'],
  'oauth-other-tokens': [
    'an ID token, a refresh token and a proof are not access tokens',
    'RFC 9068 §2.1; RFC 8725 §3.11; RFC 8725 §3.12; ASVS 9.2.2',
  ],
  'oauth-clock': [
    'the table of exp, nbf and iat against the tolerance',
    'RFC 7519 §4.1.4; RFC 7519 §4.1.5; ASVS 9.2.1',
  ],
  'oauth-random-kids': [
    '10 000 random kids in a second: at most two fetches, and a known kid stays 200',
    'RFC 7517 §4.5; ASVS 15.2.2',
  ],
  'oauth-jwks-outages': [
    'JWKS outages: cold, warm, past stale, hung, slow body, 500, HTML, empty, huge',
    'ASVS 16.5.2; decision 0021',
  ],
  'oauth-rotation': [
    'a rotation just after a fetch is followed; a removed key purges what it verified',
    'OIDC Core §10.1.1; decision 0020',
  ],
  'oauth-ssrf': ['discovery does not lead to an internal address', 'ASVS 1.3.6'],
  'oauth-cache': [
    'the cache: mutation, two gates with other audiences, a token revoked after it was cached',
    'RFC 9068 §4; ASVS 14.2.2',
  ],
  'oauth-canary': ['a token never appears anywhere', 'ASVS 16.2.5; RFC 6750 §5.3'],
  'oauth-optional': ['an optional gate refuses a bad token with 401', 'RFC 6750 §3.1'],
  'oauth-dotted-opaque': ['an opaque token with two dots is accepted by introspection', 'RFC 7662 §2.2'],
  'oauth-verify-endpoint': [
    'an internal verification endpoint plugs in: { token } to { active, user_id, account_id }',
    'design',
  ],
  'oauth-real-provider': [
    'oidc-provider in its own process: JWT and opaque tokens, introspection, a rotation in the middle',
    'RFC 9068 §4; RFC 7662 §2.1',
  ],
  'oauth-real-outages': [
    'outages of the JWKS and of introspection at a real provider: refused, reset, hung, slow body, 500, HTML, empty, huge',
    'ASVS 16.5.2',
  ],
  'oauth-five-minute-outage': [
    'during a 5-minute outage a known client sees no failure, and a cold process answers 503',
    'decision 0021',
  ],
  'oauth-mcp-clients': [
    "the MCP SDK's clients, v1 and v2: 401, metadata, authorization, token, tool, 403, step-up, tool, and again after a rotation with no needless authorization",
    'MCP 2025-11-25, authorization; MCP 2025-06-18, authorization',
  ],
  'oauth-resource-spelling': [
    'the default audience accepts both spellings of a resource at the root of a host, and what a URL parser makes of a resource; metadata and challenges are exact',
    'RFC 8707 §2; MCP 2025-11-25, authorization',
  ],
  'oauth-true-descriptions': ['the description of a 400 says what is wrong with the request', 'RFC 6750 §3.1'],
  'oauth-metadata-place': [
    'challenges point to where the metadata is served: at the root, below a router, behind a proxy',
    'RFC 9728 §3.1; RFC 9728 §5.1; decision 0112',
  ],
  'oauth-mcp-places': [
    "the MCP SDK's clients, v1 before and after 1.30.1 and v2, at the root of a host, at a path, in routers and behind proxies: from 401 to a tool and over a step-up to the next; with and without a registration",
    'MCP 2025-11-25, authorization; RFC 9728 §3.1',
  ],
  'oauth-real-clients': [
    'oauth4webapi and openid-client in processes of their own, with oidc-provider: metadata, registration, token, 403, step-up',
    'RFC 9728 §3; RFC 6750 §3.1',
  ],
  'oauth-preflight': [
    'an MCP client in a browser goes from 401 to a tool and over a step-up to the next one, with cors() and with what the guide has in its place',
    'MCP 2025-11-25, authorization; WHATWG Fetch',
  ],
  'oauth-step-up-keeps': [
    'a challenge that asks for more scopes names those that the token has for other operations, and nothing of an unproven token',
    'MCP 2025-11-25, authorization; decision 0113',
  ],
  'mcp-auth-metadata': [
    'the metadata names at least one authorization server, at the path and at the root',
    'MCP 2025-11-25, authorization; RFC 9728 §2; RFC 9728 §3.1',
  ],
  'mcp-auth-challenge': [
    'a 401 has resource_metadata and the scopes that the request needs',
    'MCP 2025-11-25, authorization; RFC 9728 §5.1; RFC 6750 §3',
  ],
  'mcp-auth-insufficient-scope': [
    'a 403 has error, description, resource_metadata and all scopes at once',
    'MCP 2025-11-25, authorization; RFC 6750 §3.1',
  ],
  'mcp-auth-status': [
    '401 for no, an invalid or an expired token, 403 for scopes, 400 for a malformed request',
    'MCP 2025-11-25, authorization; RFC 6750 §3.1',
  ],
  'mcp-auth-header-alone': [
    'a token is taken from Authorization alone, on every request',
    'MCP 2025-11-25, authorization; RFC 6750 §2; ASVS 14.2.1',
  ],
  'mcp-auth-offline-access': ['offline_access is in no challenge and in no metadata', 'MCP 2026-07-28, authorization'],
  'mcp-auth-scope-hierarchy': [
    'a broader scope is enough where it includes the narrower ones',
    'MCP 2026-07-28, authorization',
  ],
  'mcp-auth-https': [
    'authorization servers and metadata are on https, or on this machine',
    'MCP 2025-11-25, authorization; RFC 9728 §2; ASVS 12.3.1',
  ],
  'oauth-one-issuer': [
    'a token is verified with the keys of its own issuer, and sent to no other one',
    'RFC 8725 §3.8; ASVS 10.1.1',
  ],
  'oauth-hot-path': ['a decision that needs no I/O makes no promise and parses nothing twice', 'decision 0023'],
  'oauth-redis-commands': ['with Redis one command for a cold start, none for a decision', 'design'],
  'oauth-recipes': ['each recipe of the guides compiles and runs', 'design'],
  'oauth-providers': [
    "each preset and recipe accepts its provider's access tokens, and refuses its ID and refresh tokens and those for others",
    'RFC 8725 §3.12; decision 0109',
  ],
  'oauth-presets': ['a preset demands an audience or clients, and names what is wrong', 'RFC 8725 §3.9; decision 0109'],
  'oauth-linear-time': [
    'each parser takes time in proportion to the length of what it reads, before anything is proven',
    'ASVS 15.2.2; ASVS 1.3.12',
  ],
  'oauth-sockets-end': [
    'the socket of a token is closed when the token expires or is revoked',
    'ASVS 9.2.1; decision 0082',
  ],
  'dpop-one-field': ['there is one DPoP header field, and one proof in it', 'RFC 9449 §4.3'],
  'dpop-well-formed': ['a proof is one well-formed JWT', 'RFC 9449 §4.3'],
  'dpop-required-claims': [
    'a proof has every claim that RFC 9449 §4.2 requires, each with its type',
    'RFC 9449 §4.2; RFC 9449 §4.3',
  ],
  'dpop-typ': ['the type of a proof is dpop+jwt', 'RFC 9449 §4.2; RFC 8725 §3.11'],
  'dpop-alg': ['the algorithm of a proof is asymmetric, and one of the list', 'RFC 9449 §4.3; RFC 9449 §11.6'],
  'dpop-signature': [
    'the signature of a proof is verified with the key in it, also when the key is known',
    'RFC 9449 §4.3',
  ],
  'dpop-forged': ['no parameter of a proof leads to a key elsewhere', 'RFC 9449 §4.3; RFC 8725 §3.10'],
  'dpop-public-key': ['the key of a proof is public, strong, and fits the algorithm', 'RFC 9449 §4.3; RFC 8725 §3.5'],
  'dpop-htm': ['a proof is for the method of the request', 'RFC 9449 §4.3'],
  'dpop-htu': [
    'a proof is for the URI of the request, in normal form, whatever Host says',
    'RFC 9449 §4.3; RFC 3986 §6.2.2',
  ],
  'dpop-time': ['a proof was made within the window', 'RFC 9449 §4.3; RFC 9449 §11.1'],
  'dpop-ath': ['a proof is for the token beside it', 'RFC 9449 §4.3; RFC 9449 §7.1'],
  'dpop-jkt': [
    'the key of a proof is the one that the token is bound to, on every request',
    'RFC 9449 §4.3; RFC 9449 §6.1',
  ],
  'dpop-vectors': ['the examples of RFC 9449 and RFC 7638', 'RFC 9449 §7.1; RFC 7638 §3.1'],
  'dpop-cached': ['the binding of a cached token is checked on every hit, for both schemes', 'RFC 9449 §7.1'],
  'dpop-replay': ['a proof is good once, and what was refused for another reason does not use it up', 'RFC 9449 §11.1'],
  'dpop-replay-shared': [
    'of 100 copies of one proof at two processes with one Redis, one is accepted, also with clocks 60 s apart',
    'RFC 9449 §11.1',
  ],
  'dpop-outage': [
    'while the replay store is down the answer is 503 without a challenge, and never a way in',
    'ASVS 16.5.3; RFC 9110 §15.6.4',
  ],
  'dpop-no-downgrade': [
    'a bound token is refused as a bearer token, also after it was accepted with a proof',
    'RFC 9449 §7.2',
  ],
  'dpop-all-checks': ['each scheme takes its own tokens alone', 'RFC 9449 §7.1'],
  'dpop-binding': [
    'further members of cnf do not matter where the one that is checked holds',
    'RFC 9449 §6; RFC 7800 §3.1',
  ],
  'dpop-introspected': ["an introspection's cnf counts like a JWT's, and so does what verify says", 'RFC 9449 §6.2'],
  'dpop-keycloak': ["a token of Keycloak's type DPoP without a cnf is no bearer token", 'RFC 9449 §6'],
  'dpop-audience': [
    'a bound token is verified as any other: issuer, audience, times, revocation, scopes',
    'RFC 9449 §7.1; SEP-1932; RFC 9068 §4',
  ],
  'dpop-off': ['without the option DPoP is another scheme, and bound tokens are refused', 'RFC 9449 §7.2'],
  'dpop-required': ['where DPoP is required, a bearer token is not enough', 'RFC 9449 §7.1; ASVS 10.3.5'],
  'dpop-principal': ['what was proven is on the principal and in the event', 'ASVS 16.3.1'],
  'dpop-challenge': [
    'challenges name the schemes that are accepted, with the error in that of the presented one',
    'RFC 9449 §7.1; RFC 9449 §7.2; SEP-1932',
  ],
  'dpop-metadata': ['the metadata has the algorithms, and whether tokens must be bound', 'RFC 9728 §2'],
  'dpop-order': [
    'cheap before expensive; a cached token before its proof; the claim last',
    'ASVS 15.2.2; decision 0125',
  ],
  'dpop-audit': ['a grant that the audit did not record gives its proof back', 'decision 0094'],
  'dpop-once': ['gates on the way of one request take its proof once', 'decision 0008'],
  'dpop-adapter': ['the adapter of the MCP SDK says what it cannot check', 'design'],
  'dpop-optional': ['an optional and a composed gate refuse a bad proof', 'RFC 9449 §7.1'],
  'dpop-issuers': ['each issuer has its own rule, also those found at run time', 'design'],
  'dpop-routes': ['one route can demand a bound token', 'ASVS 10.3.5'],
  'dpop-step-up': ['a step-up is asked for in the challenge of DPoP', 'RFC 9449 §7.1; RFC 9470 §3'],
  'dpop-proxy': [
    'behind a proxy that removes a part of the path, proofs name the path that the client asked for',
    'RFC 9449 §4.3',
  ],
  'dpop-nonce': ['nonces are stateless, authenticated, and tell the age of a proof', 'RFC 9449 §9; decision 0126'],
  'dpop-nonce-renewal': [
    'a 200 has the next nonce before the last one ends, and is not cached',
    'RFC 9449 §8.2; RFC 9449 §9',
  ],
  'dpop-nonce-syntax': ['a nonce has the characters that RFC 9449 §8.1 allows', 'RFC 9449 §8.1'],
  'dpop-nonce-shared': [
    'each process with the secret takes a nonce, with clocks 60 s apart',
    'RFC 9449 §9; decision 0126',
  ],
  'dpop-upgrades': [
    'an upgrade needs a proof, and its socket lives as long as the token',
    'RFC 9449 §7.1; decision 0082',
  ],
  'dpop-bearer-path': ['a gate without the option loads and runs nothing of proofs', 'design'],
  'dpop-real-clients': [
    'openid-client and oauth4webapi in processes of their own get bound tokens from oidc-provider and call through the gate, nonce included',
    'RFC 9449 §7.1; RFC 9449 §9',
  ],
  'mtls-bound': [
    'a token that is bound to a certificate is good over a connection with that certificate alone, each time',
    'RFC 8705 §3',
  ],
  'mtls-modes': [
    'where certificates are required, a token that is bound to nothing is not enough',
    'RFC 8705 §3; ASVS 10.3.5',
  ],
  'mtls-metadata': ['the metadata says that certificate-bound tokens are supported', 'RFC 9728 §2'],
  'mtls-and-dpop': ['a token that is bound to a key and a certificate needs both', 'RFC 8705 §3; RFC 9449 §7.1'],
  'mtls-header': [
    'a header field counts only where that was said, and from trusted peers alone',
    'RFC 9440 §4; RFC 8705 §6.5; ASVS 4.1.3',
  ],
  'mtls-header-forms': ['Client-Cert, XFCC and PEM are read strictly', 'RFC 9440 §2.1; RFC 9440 §2.2'],
  'mtls-vary': ['no cache gives what a certificate in a header field opened to another one', 'RFC 9440 §2.4'],
  'mtls-composed': ['optional and composed gates, upgrades and the adapter of the MCP SDK', 'RFC 8705 §3'],
  'mtls-thumbprint': ['a thumbprint has one spelling', 'RFC 8705 §3.1'],
  'mtls-real-provider': [
    'JWT and opaque tokens that oidc-provider bound to a certificate',
    'RFC 8705 §3.1; RFC 8705 §3.2',
  ],
  'dpop-mcp-client': [
    "the MCP SDK's client gets a bound token from oidc-provider and uses tools through the gate, nonce included",
    'SEP-1932; RFC 9449 §9',
  ],
  'oauth-step-up': [
    'a route can demand a class of authentication or a recent one, and the challenge says which',
    'RFC 9470 §3; ASVS 10.3.4',
  ],
  'oauth-key-policy': [
    'weak keys, private keys and keys for another algorithm are not trusted',
    'RFC 8725 §3.1; RFC 8725 §3.5; RFC 7518 §3.3; ASVS 11.6.1',
  ],
  'oauth-principal-id': [
    'no token has the id of another principal: of a client, a subject or an issuer',
    'ASVS 10.3.3; ASVS 6.8.1',
  ],
  'oauth-tls': [
    'the certificate of an issuer is from a trusted authority and has its name, behind a proxy, too',
    'ASVS 12.3.2',
  ],
  'oauth-key-cache': ['a writer to Redis cannot make the gate trust a key', 'ASVS 9.1.3'],
}
