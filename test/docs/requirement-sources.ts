import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../structure/workspace.js'

/** The chapters of OWASP ASVS 5.0.0 that requirements are from, by their files. */
const ASVS_CHAPTERS: Readonly<Record<string, string>> = {
  1: '0x10-V1-Encoding-and-Sanitization',
  2: '0x11-V2-Validation-and-Business-Logic',
  3: '0x12-V3-Web-Frontend-Security',
  4: '0x13-V4-API-and-Web-Service',
  6: '0x15-V6-Authentication',
  7: '0x16-V7-Session-Management',
  8: '0x17-V8-Authorization',
  9: '0x18-V9-Self-contained-Tokens',
  10: '0x19-V10-OAuth-and-OIDC',
  11: '0x20-V11-Cryptography',
  12: '0x21-V12-Secure-Communication',
  13: '0x22-V13-Configuration',
  14: '0x23-V14-Data-Protection',
  15: '0x24-V15-Secure-Coding-and-Architecture',
  16: '0x25-V16-Security-Logging-and-Error-Handling',
}

const MCP_PAGES: Readonly<Record<string, string>> = {
  authorization: 'authorization',
  security: 'security_best_practices',
  transports: 'transports',
}

const OTHERS: Readonly<Record<string, string>> = {
  'Fetch Metadata': 'https://www.w3.org/TR/fetch-metadata/',
  OCSF: 'https://schema.ocsf.io/',
  'OWASP Logging Vocabulary': 'https://cheatsheetseries.owasp.org/cheatsheets/Logging_Vocabulary_Cheat_Sheet.html',
  'SEP-1932': 'https://github.com/modelcontextprotocol/modelcontextprotocol/pull/1932',
  'Telegram Mini Apps': 'https://core.telegram.org/bots/webapps#validating-data-received-via-the-mini-app',
  'WCAG 2.2': 'https://www.w3.org/TR/WCAG22/',
  'WHATWG Fetch': 'https://fetch.spec.whatwg.org/#cors-preflight-fetch',
}

const decisions = readdirSync(join(root, 'docs/decisions'))

/** How each kind of source is written, and where it is. */
const KINDS: readonly (readonly [form: RegExp, address: (first: string, second: string) => string | undefined])[] = [
  [/^RFC (\d+)$/, (rfc) => `https://www.rfc-editor.org/rfc/rfc${rfc}`],
  [/^RFC (\d+) §(\d[\d.]*)$/, (rfc, section) => `https://www.rfc-editor.org/rfc/rfc${rfc}#section-${section}`],
  [/^RFC (\d+) §([A-Z]\.[\d.]+)$/, (rfc, section) => `https://www.rfc-editor.org/rfc/rfc${rfc}#appendix-${section}`],
  [
    /^ASVS (\d+)\.\d+\.\d+$/,
    (chapter) => {
      const file = ASVS_CHAPTERS[chapter]
      return file && `https://github.com/OWASP/ASVS/blob/v5.0.0/5.0/en/${file}.md`
    },
  ],
  [
    /^MCP (\d{4}-\d\d-\d\d), (\w+)$/,
    (revision, name) => {
      const page = MCP_PAGES[name]
      return page && `https://modelcontextprotocol.io/specification/${revision}/basic/${page}`
    },
  ],
  [/^OIDC Core §[\d.]+$/, () => 'https://openid.net/specs/openid-connect-core-1_0.html'],
  [
    /^decision (\d{4})$/,
    (number) => {
      const file = decisions.find((name) => name.startsWith(`${number}-`))
      return file && `../decisions/${file}`
    },
  ],
  [/^(\D.*)$/, (name) => OTHERS[name]],
]

/** A source as a link; our own design is a word. Undefined when nobody could look it up. */
function linkTo(source: string): string | undefined {
  if (source === 'design') return source
  for (const [form, address] of KINDS) {
    const match = form.exec(source)
    const found = match === null ? undefined : address(match[1] ?? '', match[2] ?? '')
    if (found !== undefined) return `[${source}](${found})`
  }
  return undefined
}

/**
 * Where a requirement is from, in Markdown.
 *
 * @throws {Error} for a source in no known form, and for a decision that does not exist.
 */
export function linkSources(sources: string): string {
  return sources
    .split('; ')
    .map((source) => {
      const link = linkTo(source)
      if (link === undefined)
        throw new Error(`"${source}" is no source that can be looked up: test/docs/requirement-sources.ts`)
      return link
    })
    .join(', ')
}
