import { expect, test } from '@jest/globals'
import { reasons as hmac } from '../../packages/hmac/src/reasons.js'
import { reasons as mcpCredential } from '../../packages/mcp-credential/src/reasons.js'
import { reasons as oauthBearer } from '../../packages/oauth-bearer/src/reasons.js'
import { reasons as settingsSession } from '../../packages/settings-session/src/reasons.js'

type Meaning = readonly [status: number, owasp: string]
type Table = Readonly<Record<string, { readonly status: number; readonly owasp: string }>>

const tables: readonly Table[] = [hmac, oauthBearer, mcpCredential, settingsSession]

/** What each reason that more than one gate has may mean: its status and its label in the OWASP Logging Vocabulary. */
const SHARED: Readonly<Record<string, readonly Meaning[]>> = {
  missing: [[401, 'authn_login_fail']],
  // RFC 6750 §3.1 demands 400 for a malformed request; a token that cannot be parsed is `malformed_token` there.
  malformed: [
    [401, 'authn_login_fail'],
    [400, 'input_validation_fail'],
  ],
  ambiguous: [[400, 'input_validation_fail']],
  // A signature or a token expires; a session, and a credential that slides like one, is over.
  expired: [
    [401, 'authn_login_fail'],
    [401, 'session_expired'],
  ],
  idle: [[401, 'session_expired']],
  not_yet_valid: [[401, 'authn_login_fail']],
  bad_signature: [[401, 'authn_login_fail']],
  wrong_audience: [[401, 'authn_login_fail']],
  replayed: [[401, 'authn_token_reuse']],
  revoked: [
    [401, 'authn_login_fail'],
    [401, 'authn_token_revoked'],
    [401, 'session_use_after_expire'],
  ],
  insufficient_scope: [[403, 'authz_fail']],
  body_too_large: [[413, 'input_validation_fail']],
  unsupported_body: [[415, 'input_validation_fail']],
  legacy_refused: [[401, 'authn_login_fail']],
  unknown: [[401, 'authn_login_fail']],
}

test('a reason that several gates have means the same in each of them', () => {
  const names = tables.flatMap((table) => Object.keys(table))
  const shared = new Set(names.filter((name, index) => names.indexOf(name) !== index))
  expect([...shared].sort()).toEqual(Object.keys(SHARED).sort())
  for (const name of shared) {
    const meanings = tables.flatMap(({ [name]: entry }) => (entry === undefined ? [] : [[entry.status, entry.owasp]]))
    expect([name, ...(SHARED[name] ?? []).map(String)]).toEqual(expect.arrayContaining([name, ...meanings.map(String)]))
  }
})
