import {
  memorySecrets,
  type RequireHmacOptions,
  requireHmac,
  rfc9421,
  secretsFromEnv,
  xHeaders,
} from '@countersign/hmac'
import { postgresSecrets } from '@countersign/hmac/postgres'
import { describe, expect, test } from '@jest/globals'
import { AUDIENCE, SECRET } from './harness.js'

const KEK = `k1:${Buffer.alloc(32).toString('base64')}`
const secrets = memorySecrets([{ caller: 'scheduler', version: 1, secret: SECRET }])
const good: RequireHmacOptions = { secrets, audience: AUDIENCE }

/** The code, the option and the message of the error, which says what to do. */
function errorOf(work: () => unknown): { code?: string; option?: string; message?: string } {
  try {
    work()
  } catch (error) {
    return error as { code?: string; option?: string; message?: string }
  }
  return {}
}

describe('a wrong option throws at creation', () => {
  test.each<[string, object, string, string]>([
    ['secrets left out', { secrets: undefined }, 'ERR_COUNTERSIGN_OPTION_MISSING', 'secrets'],
    ['secrets that are no store', { secrets: {} }, 'ERR_COUNTERSIGN_OPTION_INVALID', 'secrets'],
    ['a misspelt one', { audiense: AUDIENCE }, 'ERR_COUNTERSIGN_OPTION_UNKNOWN', 'audiense'],
    ['no audience', { audience: undefined }, 'ERR_COUNTERSIGN_OPTION_MISSING', 'audience'],
    ['an empty list of audiences', { audience: [] }, 'ERR_COUNTERSIGN_OPTION_INVALID', 'audience'],
    [
      'an audience with a scheme',
      { audience: 'https://billing.example.com' },
      'ERR_COUNTERSIGN_OPTION_INVALID',
      'audience',
    ],
    ['an audience with a path', { audience: 'billing.example.com/' }, 'ERR_COUNTERSIGN_OPTION_INVALID', 'audience'],
    ['no formats', { formats: [] }, 'ERR_COUNTERSIGN_OPTION_INVALID', 'formats'],
    ['a format by name', { formats: ['rfc9421'] }, 'ERR_COUNTERSIGN_OPTION_INVALID', 'formats'],
    [
      'the same format twice',
      { formats: [rfc9421(), rfc9421({ tag: 'other' })] },
      'ERR_COUNTERSIGN_OPTION_INVALID',
      'formats',
    ],
    ['callers that are no names', { callers: ['Scheduler'] }, 'ERR_COUNTERSIGN_OPTION_INVALID', 'callers'],
    ['a replay store that is none', { replay: {} }, 'ERR_COUNTERSIGN_OPTION_INVALID', 'replay'],
    ['another mode of the body', { body: 'stream' }, 'ERR_COUNTERSIGN_OPTION_INVALID', 'body'],
    [
      'a limit that is none',
      { maxBodyBytes: Number.POSITIVE_INFINITY },
      'ERR_COUNTERSIGN_OPTION_INVALID',
      'maxBodyBytes',
    ],
    ['an async enforce', { enforce: async () => true }, 'ERR_COUNTERSIGN_OPTION_INVALID', 'enforce'],
    ['enforce as a text', { enforce: 'false' }, 'ERR_COUNTERSIGN_OPTION_INVALID', 'enforce'],
    ['enforce with a text in it', { enforce: { scheduler: 'false' } }, 'ERR_COUNTERSIGN_OPTION_INVALID', 'enforce'],
    ['reportOnly as a text', { reportOnly: 'false' }, 'ERR_COUNTERSIGN_OPTION_INVALID', 'reportOnly'],
    ['mode', { mode: 'report' }, 'ERR_COUNTERSIGN_OPTION_UNKNOWN', 'mode'],
    ['reportOnly without an old key', { reportOnly: true }, 'ERR_COUNTERSIGN_OPTION_INVALID', 'reportOnly'],
    [
      'an old key that is empty',
      { legacy: { headers: ['x-a'], keys: { a: [''] } } },
      'ERR_COUNTERSIGN_OPTION_INVALID',
      'legacy.keys',
    ],
    [
      'an old key without headers',
      { legacy: { keys: { a: ['k'] } } },
      'ERR_COUNTERSIGN_OPTION_MISSING',
      'legacy.headers',
    ],
    [
      'an old key of no caller',
      { legacy: { headers: ['x-a'], keys: { 'A b': ['k'] } } },
      'ERR_COUNTERSIGN_OPTION_INVALID',
      'legacy.keys',
    ],
    [
      'an old key in the header of a format',
      { legacy: { headers: ['Signature'], keys: { a: ['k'] } } },
      'ERR_COUNTERSIGN_OPTION_INVALID',
      'formats',
    ],
  ])('%s', (_what, wrong, code, option) => {
    const error = errorOf(() => requireHmac({ ...good, ...wrong } as RequireHmacOptions))
    expect([error.code, error.option]).toEqual([code, option])
    expect(error.message).toMatch(/requireHmac/)
  })

  test.each<[string, () => unknown, string]>([
    ['a window of rfc9421', () => rfc9421({ windowBackSeconds: 0 }), 'windowBackSeconds'],
    ['a tag with a quote', () => rfc9421({ tag: '"' }), 'tag'],
    ['a prefix in upper case', () => xHeaders({ prefix: 'X-Kh' }), 'prefix'],
    ['a switch as a text', () => xHeaders({ bindAudience: 'no' as never }), 'bindAudience'],
    ['a window of a day', () => xHeaders({ windowAheadSeconds: 86_400 }), 'windowAheadSeconds'],
    ['a clock that is none', () => memorySecrets([], { clock: {} as never }), 'clock'],
    ['secrets that are no list', () => memorySecrets({} as never), 'secrets'],
    ['a short secret in a list', () => memorySecrets([{ caller: 'a', version: 1, secret: 'x' }]), 'secret'],
    ['a secret left out', () => memorySecrets([{ caller: 'a', version: 1, secret: undefined }]), 'secret'],
    ['a secret in place of an entry', () => memorySecrets([SECRET as never]), ''],
    ['no options of the environment', () => secretsFromEnv({}, undefined as never), ''],
    ['callers left out', () => secretsFromEnv({}, {} as never), 'callers'],
    ['a misspelt option of the environment', () => secretsFromEnv({}, { callers: ['a'], name: {} } as never), 'name'],
    ['no client', () => postgresSecrets(undefined as never, { keks: KEK }), 'client'],
    ['a client that cannot be asked', () => postgresSecrets({} as never, { keks: KEK }), 'client'],
    ['no ring', () => postgresSecrets({ query: async () => ({ rows: [] }) }, {} as never), 'keks'],
    [
      'a cache of a minute',
      () => postgresSecrets({ query: async () => ({ rows: [] }) }, { keks: 'x', cacheSeconds: 60 }),
      'cacheSeconds',
    ],
  ])('%s', (_what, work, option) => {
    // Of an entry of a list the index comes first.
    expect(errorOf(work).option?.replace(/^\[\d\]\.?/, '')).toBe(option)
  })

  test('callers left out, with a store that cannot tell them without asking anyone', () => {
    const { knows: _, ...asking } = secrets
    expect(errorOf(() => requireHmac({ ...good, secrets: asking }))).toMatchObject({
      code: 'ERR_COUNTERSIGN_OPTION_MISSING',
      option: 'callers',
    })
    expect(errorOf(() => requireHmac({ ...good, secrets: asking, callers: ['scheduler'] }))).toEqual({})
  })

  test('and no value of a secret is shown', () => {
    const wrong = [
      () => memorySecrets([{ caller: 'a', version: 1, secret: 'short-secret' }]),
      () => memorySecrets(['short-secret' as never]),
      () => memorySecrets('short-secret' as never),
      () => requireHmac({ ...good, legacy: 'short-secret' as never }),
      () => requireHmac({ ...good, legacy: { headers: ['x-a'], keys: ['short-secret'] as never } }),
      () => requireHmac({ ...good, secrets: 'short-secret' as never }),
      () => postgresSecrets('short-secret' as never, { keks: KEK }),
      () => postgresSecrets({ query: async () => ({ rows: [] }) }, 'short-secret' as never),
    ]
    for (const work of wrong) {
      const error = errorOf(work)
      expect(error.code).toMatch(/^ERR_COUNTERSIGN_OPTION_/)
      expect(error.message).not.toContain('short-secret')
    }
  })
})

test.each([
  [{ secret: 'x' }, 'secrets: memorySecrets([{ caller, version, secret }])'],
  [{ windowSeconds: 60 }, 'formats: [rfc9421({ windowBackSeconds })]'],
  [{ clockTolerance: 60 }, 'formats: [rfc9421({ windowAheadSeconds })]'],
  [{ algorithms: ['sha256'] }, 'formats'],
  [{ maxBody: 1 }, 'maxBodyBytes'],
])('a name that is known from elsewhere is told what it is here: %j', (options, meant) => {
  expect(errorOf(() => requireHmac({ ...good, ...options } as never)).message).toContain(`Did you mean "${meant}"?`)
  for (const format of [rfc9421, xHeaders]) {
    const { message } = errorOf(() => format({ windowSeconds: 60 } as never))
    expect(message).toContain('unknown option "windowSeconds". Did you mean "windowBackSeconds"?')
  }
})

test('the window of a format without an audience needs none', () => {
  expect(errorOf(() => requireHmac({ secrets, formats: [xHeaders({ bindAudience: false })] }))).toEqual({})
})
