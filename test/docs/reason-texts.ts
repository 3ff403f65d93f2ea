import type { HmacDependency, HmacReason } from '../../packages/hmac/src/reasons.js'
import type { McpCredentialDependency, McpCredentialReason } from '../../packages/mcp-credential/src/reasons.js'
import type { OAuthBearerDependency, OAuthBearerReason } from '../../packages/oauth-bearer/src/reasons.js'
import type { SettingsSessionDependency, SettingsSessionReason } from '../../packages/settings-session/src/reasons.js'

/** What happened, and what to do. */
type Texts<R extends string> = Readonly<Record<R, readonly [happened: string, remedy: string]>>

const AUDIT_SINK: readonly [string, string] = [
  'A `required` audit sink did not accept the event, so nothing was granted.',
  'Check the sink: its disk, its connection, its queue. The warning `COUNTERSIGN_AUDIT_SINK_FAILED` has the error.',
]
const REDIS = 'Check that Redis runs, is not full and answers within `commandTimeoutMs`: run `countersign doctor`.'

export const hmac: Texts<HmacReason | HmacDependency | 'audit_sink'> = {
  missing: [
    "The request has no header of a configured format or, with `part: tag`, no signature with the gate's tag.",
    'Check whether a proxy removes the headers, and whether `formats` matches the signer.',
  ],
  malformed: [
    'A header breaks the grammar, or the body ended early.',
    '`part` says which one. With `hint: milliseconds`, the time is not in seconds. With `body: aborted`, the client disconnected.',
  ],
  ambiguous: [
    'The request has a header twice, signatures in two formats, or two different old keys.',
    'Send one signature. In `Signature` and `Signature-Input`, each label may occur once, and both must have it.',
  ],
  unknown_caller: [
    'The name is not in `callers`, or the store has no secret for it.',
    'Compare the name with `countersign hmac list`.',
  ],
  expired: [
    'The signature is older than the window, or past its `expires`.',
    'Synchronise the clocks (see `skew_seconds`). Sign when sending, not when queueing.',
  ],
  not_yet_valid: [
    'The signature is dated further ahead than the window.',
    'Synchronise the clocks: `skew_seconds` is negative and shows the difference.',
  ],
  unknown_key_version: [
    'The verifier does not have this version of the secret.',
    'The signer is ahead: rotate with `--pending` first, and give the version to the signer once the verifiers have it.',
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
    'Set `audience` to the name that clients use for this service, with its port.',
  ],
  body_too_large: ['The body is larger than `maxBodyBytes`.', 'Raise `maxBodyBytes`, or send less.'],
  digest_mismatch: [
    'The body is not the one that was signed.',
    'Sign the bytes as sent, after serialising and compressing. Look for a proxy that rewrites bodies.',
  ],
  replayed: [
    'The same signature was used before.',
    'A client or proxy that retries must sign each attempt. With `xHeaders`, sign with `nonce: true`. From an unknown address, it is an attack.',
  ],
  legacy_refused: ['A caller for which `enforce` is on sent the old key.', 'Make the caller sign.'],
  secret_store: [
    'The secret store is unreachable, and the cached secrets are older than five minutes.',
    'Check the database: run `countersign hmac doctor`.',
  ],
  secret_unreadable: [
    'A stored secret cannot be decrypted.',
    'Put the missing key-encryption key back into `keks`. If none is missing, the row was moved or altered: rotate.',
  ],
  replay_store: ['The replay store did not answer in time, or is full.', REDIS],
  audit_sink: AUDIT_SINK,
}

export const oauthBearer: Texts<OAuthBearerReason | OAuthBearerDependency | 'audit_sink'> = {
  missing: ['The request has no access token.', 'Nothing: the challenge tells a client where to get one.'],
  malformed: [
    'The `Authorization` field is not one token in the grammar of RFC 6750.',
    'Send `Authorization: Bearer <token>`, once, without quotes.',
  ],
  ambiguous: ['The request has two access tokens.', 'Send one.'],
  malformed_token: [
    'The token is not a signed JWT.',
    'For opaque tokens, configure `introspection`. At Auth0 and Okta, the client must request the audience; otherwise it gets a token that only the provider can read.',
  ],
  wrong_issuer: [
    "The token's `iss` is not a configured issuer.",
    'Set `issuer` to exactly that string, including a trailing slash.',
  ],
  wrong_type: [
    'The token is not an access token (RFC 9068 `typ`).',
    "The client may be sending its ID token. If the provider's access tokens have no type, use its preset or `profile: 'relaxed'`.",
  ],
  wrong_algorithm: [
    'The token is signed with an algorithm that is not allowed.',
    "Add it to the issuer's `algorithms`.",
  ],
  unknown_key: [
    "The issuer has no key with the token's `kid`.",
    'Look for another issuer, a restarted development server, or a removed key.',
  ],
  bad_signature: [
    'The signature does not verify.',
    'The token was truncated or altered, or only its provider can verify it (Microsoft Graph).',
  ],
  missing_claim: [
    'A claim that an access token needs is missing; `claim` names it.',
    "Use the provider's preset, or `profile: 'relaxed'`. If `aud` is missing, the client requested no resource.",
  ],
  expired: [
    'The token has expired.',
    'Get a new one. If it was new, a clock is wrong: `late_by_seconds` says by how much.',
  ],
  not_yet_valid: ['The token is not valid yet.', 'Synchronise the clocks: `early_by_seconds` says by how much.'],
  bound_token: [
    'A token that is bound to a key or certificate was sent as a bearer token, or an unbound one although binding is `required`.',
    'Send it under `DPoP` with a proof and set `dpop`, or over the TLS connection of its client and set `mtls`.',
  ],
  bad_proof: [
    'The DPoP proof is not valid for this request; `part` says what is wrong.',
    'See the guide on sender-constrained tokens.',
  ],
  replayed: [
    'The DPoP proof was used before.',
    'Make a new proof for each request. From an unknown address, it is an attack.',
  ],
  wrong_audience: [
    'The token is for another resource.',
    'Make the client request this one (RFC 8707). If the issuer uses another name for it, set `audience`.',
  ],
  inactive: ['The introspection endpoint says that the token is not active.', 'Get a new token.'],
  legacy_refused: ['The legacy token is no longer accepted.', 'Make the client get an OAuth token.'],
  revoked: ['`isRevoked` returned true.', 'Nothing, if that is right.'],
  insufficient_scope: [
    'The token lacks a scope that the route needs.',
    'The challenge names the scopes: the client must request them.',
  ],
  insufficient_authentication: [
    "The user's sign-in is too weak or too old for the route (RFC 9470).",
    'The client must send the user to sign in again, with the parameters of the challenge.',
  ],
  verifier: [
    'A function of the app (`verify`, `isRevoked`, `checkAudience`) failed, or did not answer in time.',
    'Check what it calls.',
  ],
  keys: [
    "The issuer's JWKS is unreachable, and the known keys are too old.",
    'Check the network to the issuer, its certificate and `HTTPS_PROXY`.',
  ],
  introspection: [
    'The introspection endpoint is unreachable, or refuses the app.',
    'Check its URL and the client secret.',
  ],
  replay_store: ['The store of used proofs did not answer in time, or is full.', REDIS],
  audit_sink: AUDIT_SINK,
}

export const mcpCredential: Texts<McpCredentialReason | McpCredentialDependency | 'audit_sink'> = {
  missing: [
    'The request has no credential.',
    "The client may not support headers for HTTP servers. The event's `scheme` says what it sent instead.",
  ],
  malformed: [
    'The credential is not well-formed: its checksum does not match.',
    'A character was lost or changed: give the agent the credential again.',
  ],
  ambiguous: ['The request has more than one `Authorization` header.', 'Send one.'],
  placeholder: [
    'The header contains a placeholder, such as `$TOKEN`, or nothing.',
    'Set the variable before the agent is started.',
  ],
  unknown: [
    'There is no such credential.',
    'It ended more than an hour ago (with `isAlive`, a day), or another store issued it.',
  ],
  wrong_secret: [
    'The credential exists, but its secret is different.',
    'Somebody is guessing, or has mixed up two credentials.',
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
    'A newer credential of the same thread and provider replaced it.',
    "Hand the new one over, or issue with `overlapSeconds`, `'keep'` or `'carry'`.",
  ],
  insufficient_scope: ['The credential may not use that tool.', "The event's `tool` and `why` say which rule it was."],
  session_mismatch: [
    'The `Mcp-Session-Id` does not belong to this thread.',
    'Nothing: the client initialises a new session.',
  ],
  malformed_body: ['The body is not JSON-RPC 2.0 in UTF-8.', "The event's `why` says what is wrong."],
  header_mismatch: [
    'The header that `why` names has a different method or tool from the body (MCP 2026-07-28). A JSON-RPC request gets the error -32020 with status 400.',
    'Find what rewrites the header or the body: a proxy, or a client that does not use the SDK. SDK clients fetch the list of tools again and retry.',
  ],
  unsupported_body: [
    'The body has another media type or a content encoding.',
    'Send `application/json` without `Content-Encoding`.',
  ],
  body_too_large: ['The body is larger than `maxBodyBytes`.', 'Raise `maxBodyBytes`.'],
  credential_store: ['The credential store did not answer in time.', REDIS],
  liveness: ["The app's `isAlive` threw or did not answer in time.", 'Check what it calls.'],
  audit_sink: AUDIT_SINK,
}

export const settingsSession: Texts<SettingsSessionReason | SettingsSessionDependency | 'audit_sink'> = {
  missing: ['The request has no cookie.', 'Nothing: the page asks the person to open the link in their chat.'],
  malformed: [
    'The cookie is not one of our tokens, or was sent twice.',
    'Look for another app on the host that sets a cookie with this name.',
  ],
  link_in_wrong_place: [
    'The query of a route behind the gate contains a link.',
    'Mount `settings.routes()` before the gate, at the path of `baseUrl`. The link may now be in a log: revoke it.',
  ],
  unknown: ['There is no such session or link.', 'Nothing: the person opens a new link.'],
  idle: ['The session was unused for too long.', 'Nothing, or raise the idle timeout.'],
  expired: ['The session or the link is too old.', 'Nothing: the person opens a new link.'],
  revoked: ['The session or the link was revoked.', 'Nothing, if that is right.'],
  spent: [
    'The link has already opened a session in another browser, or too many wrong digits were entered.',
    'The person requests a new link.',
  ],
  wrong_kind: [
    'The session is for another part of the app, or its metadata is no longer valid.',
    'Issue a link of the kind that the route needs.',
  ],
  wrong_code: ['The digits are not those in the chat.', 'The person enters those of the newest message.'],
  awaiting_identity: ['The session waits for a sign-in.', "Send the person to the answer's `reauthenticate`."],
  stale: [
    "The sign-in is older than the route's `maxAuthAgeSeconds`.",
    "Send the person to the answer's `reauthenticate`.",
  ],
  cross_site: [
    'The request does not come from this site.',
    'Send it from a page of the app. From anywhere else, it is an attack.',
  ],
  unsupported_body: [
    'The body came from our origin with an unsupported media type.',
    'Send `Content-Type: application/json`; without one, `fetch` sends `text/plain`.',
  ],
  identity_mismatch: [
    'Somebody other than the bound identity signed in, or a first claim is not allowed.',
    'If it is the same person, `unlink` or `rebind` the user. If not, the link was forwarded.',
  ],
  sign_in_failed: [
    "The person did not sign in, or the provider's response does not belong to a sign-in of this browser.",
    'The person tries again.',
  ],
  telegram_invalid: [
    "The Mini App's data is not signed for this bot, is too old, or is from a chat that `allowChat` refused.",
    'Check the bot token, the clock, and `allowChat`.',
  ],
  replayed: ["The Mini App's data was already used in another browser.", 'The person opens the Mini App again.'],
  too_many_attempts: ['There were too many attempts for a link, user or browser.', 'Wait for `Retry-After`.'],
  session_store: ['The session store did not answer in time, or is full.', REDIS],
  oauth_provider: [
    'The provider is unreachable, or refuses the app.',
    'Look for `COUNTERSIGN_SETTINGS_PROVIDER_REFUSES_APP`.',
  ],
  on_open: ["The app's `onOpen` threw or did not answer in time.", 'Check what it calls.'],
  on_first_claim: ["The app's `onFirstClaim` threw or did not answer in time.", 'Check what it calls.'],
  allow_chat: ["The app's `allowChat` threw or did not answer in time.", 'Check what it calls.'],
  audit_sink: AUDIT_SINK,
}
