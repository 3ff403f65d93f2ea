import { format, inspect } from 'node:util'
import { createSettingsSessions, parseReceipt, SensitiveUrl, wrapUrl } from '@countersign/settings-session'
import { describe, expect, test } from '@jest/globals'
import { recordedAudit } from '../../../test/support/audit-recorder.js'

const LINK = `https://app.example.com/settings?s=l1.0${'A'.repeat(16)}.${'B'.repeat(43)}`

describe('[settings-leak] a SensitiveUrl', () => {
  const url = new SensitiveUrl(LINK)

  test('is redacted wherever a value becomes text or is copied', () => {
    const error = Object.assign(new Error(`failed for ${url}`), { url })
    const seen = [
      String(url),
      `${url}`,
      `${url as unknown as string}x`,
      JSON.stringify({ url }),
      inspect(url, { showHidden: true, depth: 10 }),
      inspect({ deep: { url } }, { customInspect: false, showHidden: true, depth: 10 }),
      format('%s %o %j', url, url, url),
      inspect(structuredClone({ url: { ...url } })),
      JSON.stringify({ ...url }),
      Object.entries(url).join(),
      inspect(error),
      Object.prototype.toString.call(url),
    ]
    for (const text of seen) expect(text).not.toContain('l1.')
    expect(String(url)).toBe('[SensitiveUrl]')
    expect(() => structuredClone(url)).not.toThrow()
    expect(inspect(structuredClone(url))).not.toContain('l1.')
  })

  test('is not in the error for a text that is not a URL, nor in that of wrapUrl', () => {
    const broken = 'https//provider.example.com/authorize?state=secret'
    for (const make of [() => new SensitiveUrl(broken), () => wrapUrl('oauth', broken, new Date(0))]) {
      let error: unknown
      try {
        make()
      } catch (thrown) {
        error = thrown
      }
      expect(error).toMatchObject({ name: 'TypeError', code: 'ERR_COUNTERSIGN_SENSITIVE_URL' })
      expect(inspect(error, { showHidden: true })).not.toContain('state=secret')
    }
  })

  test('is revealed for its one purpose alone', () => {
    expect(url.reveal('deliver-to-user')).toBe(LINK)
    expect(() => (url.reveal as (purpose?: string) => string)('log')).toThrow()
    expect(() => url.reveal('anything' as never)).toThrow(
      expect.objectContaining({ code: 'ERR_COUNTERSIGN_SENSITIVE_URL' }),
    )
  })
})

test('[settings-leak] deliver returns the same four fields, whatever happened, and drops the error', async () => {
  const { audit, events } = recordedAudit()
  const settings = createSettingsSessions({ baseUrl: 'https://app.example.com/settings', audit })
  const link = await settings.issueLink({ platform: 'slack', userId: 'u1' })
  const failing = await settings.deliver(link, (url) => {
    throw new Error(`could not send ${url.reveal('deliver-to-user')}`)
  })
  const sent = await settings.deliver(link, async (url) => url.reveal('deliver-to-user'))
  const { linkId, expiresAt } = link.receipt
  expect(failing).toEqual({ type: 'settings_link', linkId, expiresAt, delivered: false })
  expect(sent).toEqual({ type: 'settings_link', linkId, expiresAt, delivered: true })
  expect(Object.isFrozen(sent)).toBe(true)
  expect(JSON.stringify([link, events, { ...link }])).not.toMatch(/l1\./)
  expect(inspect([link, events], { depth: 10, showHidden: true })).not.toMatch(/l1\./)
  const delivered = events.filter(({ type }) => type === 'settings.link.delivered')
  expect(delivered.map(({ outcome }) => outcome)).toEqual(['failure', 'success'])
})

test('[settings-leak] parseReceipt is strict', async () => {
  const link = wrapUrl('authorization', 'https://id.example.com/authorize?x=1', new Date(Date.UTC(2026, 0, 1)))
  const { receipt } = link
  expect(receipt.type).toBe('authorization_link')
  expect(parseReceipt(JSON.stringify(receipt))).toEqual(receipt)
  expect(parseReceipt(JSON.parse(JSON.stringify(receipt)), 'authorization')).toEqual(receipt)
  expect(parseReceipt(receipt, 'settings')).toBeUndefined()
  const wrong: unknown[] = [
    undefined,
    null,
    '',
    '{',
    '[]',
    7,
    { ...receipt, url: LINK },
    { ...receipt, delivered: 'true' },
    { ...receipt, linkId: LINK },
    { ...receipt, expiresAt: 'tomorrow' },
    { ...receipt, type: 'Settings_link' },
    'x'.repeat(5000),
  ]
  for (const value of wrong) expect(parseReceipt(value)).toBeUndefined()
  expect(() => wrapUrl('Not a word', LINK, new Date())).toThrow('"kind"')
})
