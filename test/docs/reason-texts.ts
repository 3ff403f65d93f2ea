import type { HmacDependency, HmacReason } from '../../packages/hmac/src/reasons.js'
import type { McpCredentialDependency, McpCredentialReason } from '../../packages/mcp-credential/src/reasons.js'
import type { OAuthBearerDependency, OAuthBearerReason } from '../../packages/oauth-bearer/src/reasons.js'
import type { SettingsSessionDependency, SettingsSessionReason } from '../../packages/settings-session/src/reasons.js'

/** What happened, and what to do. */
type Texts<R extends string> = Readonly<Record<R, readonly [happened: string, remedy: string]>>

const AUDIT_SINK: readonly [string, string] = [
  'A `required` audit sink did not take the event, so nothing was granted.',
  'Look at the sink: its disk, its connection, its queue. The warning `COUNTERSIGN_AUDIT_SINK_FAILED` has the error.',
]
const REDIS = 'Check that Redis runs, is not full and answers within `commandTimeoutMs`; `countersign doctor` does.'

export const hmac: Texts<HmacReason | HmacDependency | 'audit_sink'> = {
  missing: [
    'No header field of a configured format came, or with `part: tag` no signature with the tag of the gate.',
    'Check whether a proxy removes the fields, and whether `formats` is what the signer uses.',
  ],
  malformed: [
    'A header field departs from the grammar, or the body ended early.',
    '`part` says which one. With `hint: milliseconds` the time is not in seconds. With `body: aborted` the client went away.',
  ],
  ambiguous: [
    'A header field came twice, or signatures in two formats, or two different old keys.',
    'Send one signature. Of `Signature` and `Signature-Input`, each label may come once, and both must have it.',
  ],
  unknown_caller: [
    'The name is not in `callers`, or the store has no secret of it.',
    'Compare the name with `countersign hmac list`.',
  ],
  expired: [
    'The signature is older than the window, or past its `expires`.',
    'Synchronise the clocks (`skew_seconds` says by how much they differ). Sign when sending, not when queueing.',
  ],
  not_yet_valid: [
    'The signature is dated further ahead than the window.',
    'Synchronise the clocks: `skew_seconds` is negative, and says by how much.',
  ],
  unknown_key_version: [
    'The verifier has no such version of the secret.',
    'The signer is ahead: rotate with `--pending` first, and give the version to the signer when verifiers have it.',
  ],
  no_active_secret: [
    'The secret has expired, was revoked, or is not valid yet.',
    'Give the signer the active version: `countersign hmac list` shows the states.',
  ],
  bad_signature: [
    'The secret differs, or method, path, query, audience or body was changed on the way.',
    'Compare the texts with `countersign hmac explain`. Behind a proxy that changes the path, set `pathPrefix` or `target`.',
  ],
  wrong_audience: [
    'The signature is for the `Host`, which is not one of `audience`.',
    'Set `audience` to the name by which clients call this service, with its port.',
  ],
  body_too_large: ['The body is larger than `maxBodyBytes`.', 'Raise `maxBodyBytes`, or send less.'],
  digest_mismatch: [
    'The body is not the one that was signed.',
    'Sign the bytes that are sent: after serialising and compressing. Look for a proxy that rewrites bodies.',
  ],
  replayed: [
    'The same signature was used before.',
    'A client or proxy that retries must sign each attempt. With `xHeaders`, sign with `nonce: true`. From an unknown address it is an attack.',
  ],
  legacy_refused: ['The old key came from a caller that `enforce` names.', 'Let the caller sign.'],
  secret_store: [
    'The secret store cannot be asked, and what was read is older than five minutes.',
    'Check the database; `countersign hmac doctor` does.',
  ],
  secret_unreadable: [
    'A stored secret does not open.',
    'Put the missing key-encryption key back into `keks`. If none is missing, the row was moved or altered: rotate.',
  ],
  replay_store: ['The replay store cannot be asked in time, or is full.', REDIS],
  audit_sink: AUDIT_SINK,
}

export const oauthBearer: Texts<OAuthBearerReason | OAuthBearerDependency | 'audit_sink'> = {
  missing: ['No access token came.', 'Nothing: the challenge tells a client where to get one.'],
  malformed: [
    'The `Authorization` field is not one token in the grammar of RFC 6750.',
    'Send `Authorization: Bearer <token>`, once, without quotes.',
  ],
  ambiguous: ['Two access tokens came.', 'Send one.'],
  malformed_token: [
    'The token is not a signed JWT.',
    'For opaque tokens configure `introspection`. At Auth0 and Okta the client must ask for the audience, else it gets a token that only the provider reads.',
  ],
  wrong_issuer: [
    'The `iss` of the token is not a configured issuer.',
    'Set `issuer` to exactly that text, a slash at its end included.',
  ],
  wrong_type: [
    'The token is not an access token (RFC 9068 `typ`).',
    "The client may send its ID token. For a provider that gives access tokens no type, use its preset or `profile: 'relaxed'`.",
  ],
  wrong_algorithm: [
    'The token is signed by an algorithm that is not allowed.',
    'Add it to `algorithms` of the issuer.',
  ],
  unknown_key: [
    'The issuer has no key with the `kid` of the token.',
    'Look for another issuer, a restarted development server, or a key that was removed.',
  ],
  bad_signature: [
    'The signature does not verify.',
    'The token was cut or altered, or is not for anybody but its provider (Microsoft Graph).',
  ],
  missing_claim: [
    'A claim that an access token needs is missing; `claim` names it.',
    "Use the provider's preset, or `profile: 'relaxed'`. Without `aud` the client asked for no resource.",
  ],
  expired: [
    'The token has expired.',
    'Get a new one. If it was new, a clock is wrong: `late_by_seconds` says by how much.',
  ],
  not_yet_valid: ['The token is not valid yet.', 'Synchronise the clocks: `early_by_seconds` says by how much.'],
  bound_token: [
    'A token that is bound to a key or certificate came as a bearer token, or an unbound one where `required`.',
    'Send it under `DPoP` with a proof and set `dpop`, or over the TLS connection of its client and set `mtls`.',
  ],
  bad_proof: [
    'The DPoP proof is not valid for this request; `part` says what is wrong.',
    'See the guide on sender-constrained tokens.',
  ],
  replayed: [
    'The DPoP proof was used before.',
    'Make a proof for each request. From an unknown address it is an attack.',
  ],
  wrong_audience: [
    'The token is for another resource.',
    'Let the client ask for this one (RFC 8707). If the issuer names it otherwise, set `audience`.',
  ],
  inactive: ['The introspection endpoint says that the token is not active.', 'Get a new token.'],
  legacy_refused: ['A legacy token came that is no longer accepted.', 'Let the client get an OAuth token.'],
  revoked: ['`isRevoked` said yes.', 'Nothing, if that is right.'],
  insufficient_scope: [
    'The token lacks a scope that the route needs.',
    'The challenge names the scopes: let the client ask for them.',
  ],
  insufficient_authentication: [
    'The user signed in too weakly or too long ago for the route (RFC 9470).',
    'Let the client send the user to sign in, with what the challenge names.',
  ],
  verifier: [
    'A function of the app (`verify`, `isRevoked`, `checkAudience`) threw an outage, or did not answer in time.',
    'Look at what it asks.',
  ],
  keys: [
    "The issuer's JWKS is unreachable, and the keys that are known are too old.",
    'Check the network to the issuer, its certificate and `HTTPS_PROXY`.',
  ],
  introspection: [
    'The introspection endpoint is unreachable, or refuses the app.',
    'Check its URL and the client secret.',
  ],
  replay_store: ['The store of used proofs cannot be asked in time, or is full.', REDIS],
  audit_sink: AUDIT_SINK,
}

export const mcpCredential: Texts<McpCredentialReason | McpCredentialDependency | 'audit_sink'> = {
  missing: [
    'No credential came.',
    'The client may not support header fields for HTTP servers. `scheme` of the event says what it sent instead.',
  ],
  malformed: [
    'The credential is not well-formed: its checksum does not match.',
    'A character was lost or changed: hand it over again.',
  ],
  ambiguous: ['More than one `Authorization` field came.', 'Send one.'],
  placeholder: [
    'The field holds a placeholder, such as `$TOKEN`, or nothing.',
    'Set the variable before the agent is started.',
  ],
  unknown: [
    'There is no such credential.',
    'It ended more than an hour ago (with `isAlive` a day), or another store issued it.',
  ],
  wrong_secret: [
    'There is such a credential, with another secret.',
    'Somebody guesses, or has mixed two credentials up.',
  ],
  idle: [
    'There was no call, and no `touch`, for the idle timeout.',
    'Touch the thread, or set `isAlive`. Issue a new credential.',
  ],
  expired: ['The credential is older than its lifetime.', 'Issue a new one.'],
  revoked: [
    'The app revoked it, or an epoch was lost (Redis was emptied).',
    'Issue a new one, if the session is to continue.',
  ],
  superseded: [
    'A newer credential of the same thread and provider took its place.',
    "Hand the new one over, or issue with `overlapSeconds`, `'keep'` or `'carry'`.",
  ],
  insufficient_scope: ['The credential may not use that tool.', '`tool` and `why` of the event say which rule it was.'],
  session_mismatch: [
    'The `Mcp-Session-Id` is not of a session of this thread.',
    'Nothing: the client initialises a session of its own.',
  ],
  malformed_body: ['The body is not JSON-RPC 2.0 in UTF-8.', '`why` of the event says what is wrong.'],
  header_mismatch: [
    'The header field that `why` names says another method or tool than the body (MCP 2026-07-28). A JSON-RPC request gets the error -32020 with status 400.',
    'Find what rewrites the header field or the body: a proxy, or a client that is not the SDK. Clients of the SDK fetch the list of tools again and retry.',
  ],
  unsupported_body: [
    'The body has another media type or a content encoding.',
    'Send `application/json` without `Content-Encoding`.',
  ],
  body_too_large: ['The body is larger than `maxBodyBytes`.', 'Raise `maxBodyBytes`.'],
  credential_store: ['The credential store cannot be asked in time.', REDIS],
  liveness: ['`isAlive` of the app threw or did not answer in time.', 'Look at what it asks.'],
  audit_sink: AUDIT_SINK,
}

export const settingsSession: Texts<SettingsSessionReason | SettingsSessionDependency | 'audit_sink'> = {
  missing: ['No cookie came.', 'Nothing: the page asks the person to open the link in their chat.'],
  malformed: [
    'The cookie is not a token of ours, or came twice.',
    'Look for another app on the host that sets a cookie of the name.',
  ],
  link_in_wrong_place: [
    'A link came in the query of a route behind the gate.',
    'Mount `settings.routes()` before the gate, at the path of `baseUrl`. The link is in a log now: revoke it.',
  ],
  unknown: ['There is no such session or link.', 'Nothing: the person opens a new link.'],
  idle: ['The session was unused for too long.', 'Nothing, or raise the idle timeout.'],
  expired: ['The session or the link is too old.', 'Nothing: the person opens a new link.'],
  revoked: ['The session or the link was revoked.', 'Nothing, if that is right.'],
  spent: [
    'The link has opened a session before, in another browser, or too many wrong digits were typed.',
    'The person asks for a new link.',
  ],
  wrong_kind: [
    'The session is for another part of the app, or its metadata is no longer valid.',
    'Issue a link of the kind that the route needs.',
  ],
  wrong_code: ['The digits are not those that the chat shows.', 'The person types those of the newest message.'],
  awaiting_identity: ['The session waits for a sign-in.', 'Send the person to `reauthenticate` of the answer.'],
  stale: [
    'The sign-in is older than `maxAuthAgeSeconds` of the route.',
    'Send the person to `reauthenticate` of the answer.',
  ],
  cross_site: [
    'The request does not come from this site.',
    'Send it from a page of the app. From elsewhere it is an attack.',
  ],
  unsupported_body: [
    'The body came from our origin in a form that is not read.',
    'Send `Content-Type: application/json`; `fetch` says `text/plain` without one.',
  ],
  identity_mismatch: [
    'Somebody else than the bound identity signed in, or a first claim is not allowed.',
    'If it is the same person, `unlink` or `rebind` the user. If it is not, the link was forwarded.',
  ],
  sign_in_failed: [
    'The person did not sign in, or the answer belongs to no sign-in of this browser.',
    'The person tries again.',
  ],
  telegram_invalid: [
    'The data of the Mini App is not signed by the bot, is too old, or is of a chat that `allowChat` refused.',
    'Check the bot token, the clock, and `allowChat`.',
  ],
  replayed: ['The data of the Mini App was used before, in another browser.', 'The person opens the Mini App again.'],
  too_many_attempts: ['One link, user or browser was tried too often.', 'Wait for `Retry-After`.'],
  session_store: ['The session store cannot be asked in time, or is full.', REDIS],
  oauth_provider: [
    'The provider is unreachable, or refuses the app.',
    'Look for `COUNTERSIGN_SETTINGS_PROVIDER_REFUSES_APP`.',
  ],
  on_open: ['`onOpen` of the app threw or did not answer in time.', 'Look at what it asks.'],
  on_first_claim: ['`onFirstClaim` of the app threw or did not answer in time.', 'Look at what it asks.'],
  allow_chat: ['`allowChat` of the app threw or did not answer in time.', 'Look at what it asks.'],
  audit_sink: AUDIT_SINK,
}
