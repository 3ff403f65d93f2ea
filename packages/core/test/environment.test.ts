import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { OptionError } from '@countersign/core'
import {
  isVariableName,
  readBoolean,
  readVariable,
  readVariables,
  refuseStrayVariables,
} from '@countersign/core/gate-kit'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import fc from 'fast-check'

describe('the environment', () => {
  let folder: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'countersign-env-'))
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  const file = (name: string, text: string) => {
    const path = join(folder, name)
    writeFileSync(path, text)
    return path
  }

  test('[core-environment] gives a variable, or the content of the file that NAME_FILE names', () => {
    expect(readVariable({ SECRET: 'a' }, 'SECRET')).toBe('a')
    expect(readVariable({ SECRET: '' }, 'SECRET')).toBe('')
    expect(readVariable({}, 'SECRET')).toBeUndefined()
    expect(readVariable({ SECRET_FILE: file('lf', 'from a file\n') }, 'SECRET')).toBe('from a file')
    expect(readVariable({ SECRET_FILE: file('crlf', 'from a file\r\n') }, 'SECRET')).toBe('from a file')
    expect(readVariable({ SECRET_FILE: file('two', 'two\n\n') }, 'SECRET')).toBe('two\n')
  })

  test('[core-environment] refuses a variable that is set twice, and a file that cannot be read', () => {
    const both = { SECRET: 'hunter2', SECRET_FILE: file('both', 'hunter3') }
    expect(() => readVariable(both, 'SECRET')).toThrow(
      expect.objectContaining({
        code: 'ERR_COUNTERSIGN_OPTION_INVALID',
        option: 'SECRET',
        message:
          'SECRET and SECRET_FILE are both set: keep one of them. See https://countersign.example/errors/ERR_COUNTERSIGN_OPTION_INVALID',
      }),
    )
    expect(() => readVariable({ SECRET_FILE: join(folder, 'absent') }, 'SECRET')).toThrow(
      'SECRET_FILE names a file that cannot be read (ENOENT)',
    )
    expect(() => readVariable({ SECRET_FILE: folder }, 'SECRET')).toThrow('(EISDIR)')
  })

  test.each([
    ['true', true],
    ['1', true],
    ['false', false],
    ['0', false],
  ])('[core-environment] reads the boolean %j', (value, expected) => {
    expect(readBoolean({ REQUIRE: value }, 'REQUIRE')).toBe(expected)
  })

  test.each(['TRUE', 'True', 'yes', 'on', '', ' true', 'true ', '01', 'null'])(
    '[core-environment] fails the start on the boolean %j',
    (value) => {
      expect(() => readBoolean({ REQUIRE: value }, 'REQUIRE')).toThrow(
        `REQUIRE must be true, false, 1 or 0, got ${JSON.stringify(value)}`,
      )
    },
  )

  test('[core-parsers] the boolean never throws anything but an OptionError', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (value) => {
        try {
          const result = readBoolean({ REQUIRE: value }, 'REQUIRE')
          expect(['true', 'false', '1', '0']).toContain(value)
          expect(result).toBe(value === 'true' || value === '1')
        } catch (error) {
          if (!(error instanceof OptionError)) throw error
        }
      }),
    )
  })

  test('[core-environment] that is not set is undefined, so that a default can stand', () => {
    expect(readBoolean({}, 'REQUIRE')).toBeUndefined()
  })

  test('[core-environment] reads own properties alone: a polluted prototype sets no variable', () => {
    const env = Object.create({ SECRET: 'hunter2', SECRET_FILE: '/etc/passwd', REQUIRE: 'false' })
    expect(readVariable(env, 'SECRET')).toBeUndefined()
    expect(readBoolean(env, 'REQUIRE')).toBeUndefined()
    expect(readVariables(env, { secret: 'SECRET' })).toEqual({})
    expect(() => refuseStrayVariables('requireThing', env, 'SEC', [])).not.toThrow()
    for (const name of ['toString', 'constructor', '__proto__']) expect(readVariable({}, name)).toBeUndefined()
  })

  test('[core-environment] gives the variables that are set, by setting, and fails the start on an empty one', () => {
    const names = { audience: 'HMAC_AUDIENCE', secret: 'HMAC_SECRET' } as const
    expect(readVariables({ HMAC_SECRET_FILE: file('names', 'from a file\n') }, names)).toEqual({
      secret: 'from a file',
    })
    expect(readVariables({ HMAC_AUDIENCE: 'app', HMAC_SECRET: undefined }, names)).toEqual({ audience: 'app' })
    expect(() => readVariables({ HMAC_AUDIENCE: '' }, names)).toThrow('HMAC_AUDIENCE is empty: set it or remove it.')
    expect(() => readVariables({ HMAC_SECRET_FILE: file('empty', '\n') }, names)).toThrow('HMAC_SECRET is empty')
  })

  test('[core-environment] refuses a variable with our prefix that nothing reads, and says which was meant', () => {
    const refuse = (env: Record<string, string | undefined>) => () =>
      refuseStrayVariables('requireHmac', env, 'HMAC_', ['HMAC_AUDIENCE', 'HMAC_SECRET'])
    expect(refuse({ HMAC_AUDIENCE: 'a', HMAC_SECRET_FILE: 'b', HMAC_OTHER: undefined, PATH: '/bin' })).not.toThrow()
    expect(refuse({ HMAC_AUDIENC: 'a' })).toThrow(
      expect.objectContaining({
        code: 'ERR_COUNTERSIGN_OPTION_UNKNOWN',
        option: 'HMAC_AUDIENC',
        message: expect.stringContaining(
          'HMAC_AUDIENC is set, but is not a known variable. Did you mean HMAC_AUDIENCE?',
        ),
      }),
    )
    expect(refuse({ HMAC_SECRT_FILE: 'a' })).toThrow('Did you mean HMAC_SECRET?')
  })

  test('[core-environment] knows what can be the name of a variable', () => {
    expect(['A', '_a1', 'HMAC_SECRET', '1A', 'A-B', '', 'A B', 'A\n', undefined, 7].map(isVariableName)).toEqual([
      true,
      true,
      true,
      false,
      false,
      false,
      false,
      false,
      false,
      false,
    ])
  })
})
