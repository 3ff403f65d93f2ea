import { OptionError } from '@countersign/core'
import type { Request } from 'express'
import { ar } from './texts/ar.js'
import { de } from './texts/de.js'
import { en, type PageTexts, type TextKey } from './texts/en.js'
import { es } from './texts/es.js'

/** Sentences of the app's own, by language: all of a language that we do not have. */
export type OwnTexts = Readonly<Record<string, Partial<PageTexts>>>

/** A language of the pages. */
export interface Language {
  /** Its tag (BCP 47). */
  readonly lang: string
  readonly dir: 'ltr' | 'rtl'
  readonly texts: PageTexts
}

/** A sentence by its key, and what stands for the names in it. */
export type Message = TextKey | readonly [TextKey, Readonly<Record<string, string>>]

const OURS: Readonly<Record<string, PageTexts>> = { en, de, es, ar }
const RIGHT_TO_LEFT = new Set(['ar', 'arc', 'ckb', 'dv', 'fa', 'he', 'ks', 'ps', 'sd', 'ug', 'ur', 'yi'])
/** More than any browser sends. What parses it takes quadratic time on odd lists. */
const MAX_HEADER_LENGTH = 1024

/**
 * The languages of the pages, the default one first.
 *
 * @throws {OptionError} for a language whose sentences are not all there, and for a sentence that is not known.
 */
export function resolveLanguages(tags: readonly string[], own: OwnTexts): readonly Language[] {
  for (const tag of Object.keys(own)) {
    if (!tags.includes(tag)) {
      throw misuse(`texts.${tag}`, `is for a language that is not in "pages.lang" (${tags.join(', ')})`)
    }
  }
  return tags.map((lang) => {
    const primary = lang.split('-', 1)[0]?.toLowerCase() ?? ''
    const texts = { ...(Object.hasOwn(OURS, primary) ? OURS[primary] : {}), ...given(lang, own[lang]) }
    const missing = Object.keys(en).filter((key) => !Object.hasOwn(texts, key))
    if (missing.length > 0) {
      throw misuse('lang', `has ${lang}, and "pages.texts.${lang}" lacks: ${missing.slice(0, 5).join(', ')}`)
    }
    return { lang, dir: RIGHT_TO_LEFT.has(primary) ? 'rtl' : 'ltr', texts: texts as PageTexts }
  })
}

function given(lang: string, texts: unknown = {}): Partial<PageTexts> {
  if (texts === null || typeof texts !== 'object') throw misuse(`texts.${lang}`, 'must be an object of sentences')
  for (const [key, text] of Object.entries(texts)) {
    if (!Object.hasOwn(en, key)) throw misuse(`texts.${lang}.${key}`, 'is not known')
    if (typeof text !== 'string' || text === '') throw misuse(`texts.${lang}.${key}`, 'must be a text')
  }
  return texts
}

function misuse(option: string, why: string): OptionError {
  return new OptionError(
    'ERR_COUNTERSIGN_OPTION_INVALID',
    `pages.${option}`,
    `createSettingsSessions: option "pages.${option}" ${why}`,
  )
}

/** The language that a request's browser prefers among these; the first one where it prefers none. */
export function languageFor(request: Request, languages: readonly Language[]): Language {
  const [first] = languages as readonly [Language]
  const { 'accept-language': accepted = '' } = request.headers
  if (languages.length === 1 || accepted === '' || accepted.length > MAX_HEADER_LENGTH) return first
  const preferred = request.acceptsLanguages(languages.map(({ lang }) => lang))
  return languages.find(({ lang }) => lang === preferred) ?? first
}

/** A sentence in a language. */
export function say(texts: PageTexts, message: Message): string {
  const [key, values] = typeof message === 'string' ? [message, {}] : message
  return texts[key].replace(/\{(\w+)\}/g, (_, name: string) => (values as Record<string, string>)[name] ?? '')
}
