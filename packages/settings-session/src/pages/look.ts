import { type OptionAliases, option, resolveOptions } from '@countersign/core/gate-kit'

/** The look of the pages. */
export interface PageTheme {
  /** The name of the app: above each page's heading, and in its title. */
  readonly brand?: string | undefined
  /** A picture beside the name: a path of this host, an https URL, or a `data:` URL of an image. */
  readonly logo?: string | undefined
  /** The icon of the browser's tab, as `logo`. */
  readonly icon?: string | undefined
  /** The colour of buttons, `#rrggbb`. It is made lighter or darker where a text could not be read on it. */
  readonly colour?: string | undefined
  /** CSS after our own; `--accent`, `--on-accent`, `--text`, `--background` and `--surface` are the colours. */
  readonly css?: string | undefined
}

const TEXT = option.custom<string>('a string', (value) => (typeof value === 'string' ? value : undefined))
const IMAGE = option.custom<string>('a path, an https URL, or a data: URL of an image', (value) =>
  typeof value === 'string' && sourceOf(value) !== undefined ? value : undefined,
)

const RULES = {
  brand: TEXT,
  logo: IMAGE,
  icon: IMAGE,
  colour: option.string(/^#[0-9a-fA-F]{6}$/, 'a colour, #rrggbb'),
  css: TEXT,
}

const ALIASES: OptionAliases = {
  name: 'pages.theme.brand',
  color: 'pages.theme.colour',
  accent: 'pages.theme.colour',
  lang: 'pages.lang',
}

/**
 * Validates the option `pages.theme`.
 *
 * @throws {OptionError}
 */
export function resolveTheme(theme: PageTheme): PageTheme {
  return resolveOptions('createSettingsSessions', theme, RULES, 'pages.theme.', ALIASES)
}

/** Where the pictures of the pages come from, as sources of a Content-Security-Policy. */
export function imageSources({ logo, icon }: PageTheme): readonly string[] {
  const sources = [logo, icon].flatMap((image) => (image === undefined ? [] : [sourceOf(image) as string]))
  return sources.length === 0 ? ["'none'"] : Array.from(new Set(sources))
}

function sourceOf(image: string): string | undefined {
  if (/^data:image\/[a-z0-9.+-]+[;,]/.test(image)) return 'data:'
  if (/^\/(?![/\\])/.test(image)) return "'self'"
  if (!URL.canParse(image)) return undefined
  const { protocol, origin } = new URL(image)
  return protocol === 'https:' ? origin : undefined
}

/** The custom properties of a colour, in light and in dark. */
export function colourCss(colour: string | undefined): string {
  if (colour === undefined) return ''
  const light = accentOn(colour, '#ffffff', 0)
  const dark = accentOn(colour, '#1f1f26', 255)
  return `:root{--accent:${light};--on-accent:${textOn(light)}}@media(prefers-color-scheme:dark){:root{--accent:${dark};--on-accent:${textOn(dark)}}}`
}

/** Enough contrast for text (WCAG 2.2, 1.4.3). */
const ENOUGH = 4.5

/** The colour, moved towards black (0) or white (255) until it stands out against a surface. */
function accentOn(colour: string, surface: string, towards: 0 | 255): string {
  for (let part = 0; part < 1; part += 0.05) {
    const mixed = `#${channels(colour)
      .map((value) => Math.round(value + (towards - value) * part))
      .map((value) => value.toString(16).padStart(2, '0'))
      .join('')}`
    if (contrast(mixed, surface) >= ENOUGH) return mixed
  }
  return towards === 0 ? '#000000' : '#ffffff'
}

function textOn(colour: string): string {
  return contrast(colour, '#ffffff') >= contrast(colour, '#000000') ? '#ffffff' : '#000000'
}

function channels(colour: string): readonly number[] {
  return [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16))
}

/** WCAG 2.2, relative luminance and contrast ratio. */
function contrast(one: string, other: string): number {
  const [dark, light] = [one, other].map(luminance).sort((a, b) => a - b) as [number, number]
  return (light + 0.05) / (dark + 0.05)
}

function luminance(colour: string): number {
  const [red, green, blue] = channels(colour).map((value) => {
    const part = value / 255
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
  }) as [number, number, number]
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}
