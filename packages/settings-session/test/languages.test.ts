import { createSettingsSessions } from '@countersign/settings-session'
import { afterEach, describe, expect, test } from '@jest/globals'
import { digitsIn } from '../src/links/code.js'
import { ar } from '../src/pages/texts/ar.js'
import { de } from '../src/pages/texts/de.js'
import { en, type TextKey } from '../src/pages/texts/en.js'
import { es } from '../src/pages/texts/es.js'
import { type Harness, settingsApp } from './harness.js'

let app: Harness | undefined
afterEach(async () => app?.close())

const namesIn = (text: string) => Array.from(text.matchAll(/\{\w+\}/g), ([name]) => name).sort()

test.each(Object.entries({ de, es, ar }))(
  '%s has every sentence, another one than English, with the same names',
  (_lang, texts) => {
    for (const key of Object.keys(en) as TextKey[]) {
      expect([key, namesIn(texts[key])]).toEqual([key, namesIn(en[key])])
      if (key !== 'labelAgent') expect(texts[key]).not.toBe(en[key])
    }
  },
)

test('the browser chooses among the languages of the app, and the first one is for all others', async () => {
  app = await settingsApp({ pages: { lang: ['en', 'de', 'ar'] } })
  const open = async (languages: string) => {
    const headers = { 'accept-language': languages }
    const answer = await (app as Harness).browser().send('/settings', { headers })
    return [
      /<html lang="([^"]+)" dir="([^"]+)">/
        .exec(await answer.text())
        ?.slice(1)
        .join(' '),
      answer.headers.get('vary'),
    ]
  }
  expect(await open('ar-EG,ar;q=0.9,en;q=0.8')).toEqual(['ar rtl', 'Accept-Language'])
  expect(await open('de')).toEqual(['de ltr', 'Accept-Language'])
  expect(await open('fr')).toEqual(['en ltr', 'Accept-Language'])
  expect(await open(`de,${'x,'.repeat(2000)}`)).toEqual(['en ltr', 'Accept-Language'])
})

test("a sentence of the app's own replaces ours, and is text", async () => {
  app = await settingsApp({ pages: { lang: 'de-CH', texts: { 'de-CH': { signedOutTitle: 'Weg & <fort>' } } } })
  const text = await (await app.browser().send('/settings')).text()
  expect(text).toContain('<html lang="de-CH" dir="ltr">')
  expect(text).toContain('<h1>Weg &amp; &lt;fort&gt;</h1>')
  expect(text).toContain('Fordern Sie im Chat einen neuen Link an')
})

test.each([
  ['pages.lang', { lang: 'fr' }],
  ['pages.lang', { lang: ['en', ''] }],
  ['pages.texts.fr', { texts: { fr: {} } }],
  ['pages.texts.en.nonsense', { texts: { en: { nonsense: 'x' } } }],
  ['pages.texts.en.open', { texts: { en: { open: 1 } } }],
  ['pages.theme.logo', { theme: { logo: 'http://a.example.com/x.png' } }],
  ['pages.theme.icon', { theme: { icon: "https://a.example.com'; script-src *" } }],
  ['pages.theme.colour', { theme: { colour: 'red' } }],
  ['pages.theme.lang', { theme: { lang: 'de' } }],
] as const)('%s throws at creation, by name', (option, pages) => {
  const make = () => createSettingsSessions({ baseUrl: 'https://a.example.com/s', pages: pages as object })
  expect(make).toThrow(expect.objectContaining({ name: 'OptionError', option }))
})

describe('digits', () => {
  test.each([
    '123456',
    ' 123 456 ',
    '123-456',
    '123–456',
    '１２３４５６',
    '١٢٣٤٥٦',
    '۱۲۳ ۴۵۶',
    '\u2066123456\u2069',
    '𝟏𝟐𝟑𝟜𝟝𝟞',
  ])('are read as they are pasted: %s', (text) => expect(digitsIn(text)).toBe('123456'))
  test.each(['', '12345', '1234567', '12345a', '-', '１２３', `${' '.repeat(100)}123456`])(
    'are not read from %j',
    (text) => expect(digitsIn(text)).toBeUndefined(),
  )

  test('that are no guess cost no try', async () => {
    app = await settingsApp({ confirmCode: true })
    const issued = await app.settings.issueLink({ platform: 'slack', userId: 'u' })
    const browser = app.browser()
    const { action, fields } = await browser.form(await browser.open(issued.url.reveal('deliver-to-user')))
    for (const code of ['', '12', 'abcdef', '12345', '1234567', '???']) {
      const answer = await browser.post(action, { ...fields, code })
      expect([answer.status, (await answer.text()).includes('Enter the six digits')]).toEqual([403, true])
    }
    const given = (issued.code ?? '').replace(/\d/g, (digit) => '٠١٢٣٤٥٦٧٨٩'.charAt(Number(digit)))
    expect((await browser.post(action, { ...fields, code: `${given.slice(0, 3)} - ${given.slice(3)}` })).status).toBe(
      303,
    )
  })
})
