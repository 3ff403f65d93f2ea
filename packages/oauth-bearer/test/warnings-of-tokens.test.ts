import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { type CaughtWarning, catchWarnings } from '../../../test/support/warnings.js'
import { type Harness, oauthApp, RESOURCE } from './harness.js'
import type { TokenParts } from './test-issuer.js'

const PAGES = 'https://countersign.example/errors'

let app: Harness
let warnings: CaughtWarning[]
let stop: () => void
// Each app has an issuer of its own, so that its causes are new.
const start = (algorithms = ['RS256']) => oauthApp(({ url }) => ({ issuer: { issuer: url, algorithms } }))
beforeEach(async () => {
  app = await start()
  ;({ warnings, stop } = catchWarnings())
})
afterEach(async () => {
  stop()
  await app.stop()
})

/** Presents a token of this kind three times, each time another one. */
async function refuseThrice(parts: (round: number) => TokenParts): Promise<void> {
  for (let round = 0; round < 3; round += 1) expect((await app.get(await app.token(parts(round)))).status).toBe(401)
}
const inSeconds = (seconds: number) => app.clock.now() / 1000 + seconds

const OTHER = 'https://other.example.com'

test.each<[reason: string, code: string, parts: (round: number) => TokenParts, seen: string, remedy: string]>([
  [
    'wrong_audience',
    'COUNTERSIGN_OAUTH_WRONG_AUDIENCE',
    (round) => ({ claims: { aud: OTHER, jti: `${round}` } }),
    `audiences="${OTHER}" expected_audiences="${RESOURCE}" issuer="ISSUER"`,
    "set 'audience'",
  ],
  [
    'wrong_algorithm',
    'COUNTERSIGN_OAUTH_WRONG_ALGORITHM',
    (round) => ({ claims: { jti: `${round}` } }),
    'algorithm="RS256" expected_algorithms="ES256" issuer="ISSUER"',
    "'issuer.algorithms'",
  ],
  [
    'wrong_type',
    'COUNTERSIGN_OAUTH_WRONG_TYPE',
    (round) => ({ header: { typ: 'JWT' }, claims: { jti: `${round}` } }),
    'token_type="JWT" expected_types="at+jwt" issuer="ISSUER"',
    "profile: 'relaxed'",
  ],
  [
    'expired',
    'COUNTERSIGN_OAUTH_CLOCK',
    (round) => ({ claims: { exp: inSeconds(-100), jti: `${round}` } }),
    'late_by_seconds=100 tolerance_seconds=5 issuer="ISSUER"',
    'synchronise',
  ],
  [
    'not_yet_valid',
    'COUNTERSIGN_OAUTH_CLOCK',
    (round) => ({ claims: { nbf: inSeconds(30), jti: `${round}` } }),
    'early_by_seconds=30 tolerance_seconds=5 issuer="ISSUER"',
    'synchronise',
  ],
])(
  'tokens refused as %s are told of once for their issuer, seen against expected',
  async (reason, code, parts, seen, remedy) => {
    const restart = async () => {
      await app.stop()
      app = await start(reason === 'wrong_algorithm' ? ['ES256'] : ['RS256'])
    }
    await restart()
    await refuseThrice(parts)
    expect(warnings).toEqual([
      {
        code,
        message: `oauth-bearer: a request was refused as ${reason}: ${seen.replace('ISSUER', app.issuer.url)}. See ${PAGES}/${code}`,
        detail: expect.stringContaining(remedy),
      },
    ])
    // Another issuer is another cause.
    await restart()
    await refuseThrice(parts)
    expect(warnings.map((warning) => warning.code)).toEqual([code, code])
    expect(warnings[1]?.message).toContain(app.issuer.url)
  },
)

test('an issuer that is not configured is told of once, whatever names strangers make up', async () => {
  await refuseThrice((round) => ({
    claims: { iss: round === 0 ? `${app.issuer.url}/` : `https://${round}.example.com` },
  }))
  expect(warnings).toEqual([
    {
      code: 'COUNTERSIGN_OAUTH_WRONG_ISSUER',
      message: `oauth-bearer: a request was refused as wrong_issuer: token_issuer="${app.issuer.url}/" expected_issuers="${app.issuer.url}". See ${PAGES}/COUNTERSIGN_OAUTH_WRONG_ISSUER`,
      detail: expect.stringContaining('including a trailing slash'),
    },
  ])
})

test('a token that was good before expires without a warning', async () => {
  const token = await app.token({ claims: { exp: inSeconds(50) } })
  expect((await app.get(token)).status).toBe(200)
  app.clock.advance(150_000)
  expect((await app.get(token)).status).toBe(401)
  expect(app.last()).toBe('expired')
  expect(warnings).toEqual([])
})
