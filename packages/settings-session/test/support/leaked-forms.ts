/** A token of a link in which every kind of character is. */
export const TOKEN: string = `l1.d${'Ab-_9xYZ01234567'}.${'Zz-_aQ'.repeat(7)}k`

type Form = (token: string) => string

const everyCharacter = (write: (code: number) => string): Form => {
  return (token) => [...token].map((character) => write(character.charCodeAt(0))).join('')
}
const hex = (code: number) => code.toString(16)
const inJson = everyCharacter((code) => `\\u${hex(code).padStart(4, '0')}`)
const inUrl = everyCharacter((code) => `%${hex(code)}`)
const inMarkdown: Form = (token) => token.replace(/[_.-]/g, '\\$&')
const base64 = (text: string) => Buffer.from(text).toString('base64')
const folded = (token: string) => base64(`${'before '.repeat(9)}${token} after`).replace(/.{76}/g, '$&\r\n')

/** What programs and chat bots make of a token. */
export const FORMS: Readonly<Record<string, Form>> = {
  'as it is': (token) => token,
  'in a link': (token) => `https://app.example.com/settings?s=${token}`,
  JSON: inJson,
  'JSON with capitals': (token) => inJson(token).toUpperCase().replaceAll('\\U', '\\u'),
  'JSON in JSON': (token) => JSON.stringify(inJson(token)),
  'a JavaScript string': everyCharacter((code) => `\\x${hex(code)}`),
  percent: inUrl,
  'percent twice': (token) => encodeURIComponent(inUrl(token)),
  'HTML, decimal': everyCharacter((code) => `&#${code};`),
  'HTML, hexadecimal with zeros': everyCharacter((code) => `&#x000${hex(code)};`),
  'HTML without semicolons': everyCharacter((code) => `&#${code}`),
  'HTML, named': (token) => token.replaceAll('.', '&period;').replaceAll('_', '&lowbar;'),
  'HTML twice': everyCharacter((code) => `&amp;#${code};`),
  'HTML in JSON': everyCharacter((code) => `\\u0026#x${hex(code)};`),
  'percent in HTML in JSON': everyCharacter((code) => `\\u0026#37;${hex(code)}`),
  MarkdownV2: inMarkdown,
  'MarkdownV2 in JSON': (token) => JSON.stringify(inMarkdown(token)),
  'MarkdownV2 in JSON, three times': (token) =>
    JSON.stringify(JSON.stringify(JSON.stringify(`a ${inMarkdown(token)} b`))),
  base64,
  'base64 after one byte': (token) => base64(`x${token}`),
  'base64 after two bytes': (token) => base64(`xy${token} after`),
  'base64 after other characters of base64': (token) => `Q${base64(`xy${token}`)}Q`,
  base64url: (token) => Buffer.from(`?~${token}`).toString('base64url'),
  'base64 in JSON of PHP': (token) => base64(`??${token}??`).replaceAll('/', '\\/'),
  'base64 in a URL': (token) => encodeURIComponent(base64(`??${token}??`)),
  'base64 in lines': folded,
  'base64 in lines, in JSON': (token) => JSON.stringify(folded(token)),
  'UTF-16': (token) => Buffer.from(token, 'utf16le').toString('latin1'),
}
