import { type Fence, fencesOf, type Page } from '../docs/markdown.js'

/** A command of a page and the answer that the page shows below it. */
export interface Shown {
  readonly place: string
  readonly command: string
  readonly answer: string
}

/** The blocks of one `curl -i` each, with the block of HTTP that follows. */
export function shownAnswers(page: Page): Shown[] {
  const fences = fencesOf(page)
  return fences.flatMap(({ language, code, line }, index) => {
    const next: Fence | undefined = fences[index + 1]
    const isAsked = language === 'sh' && /^curl -i [^\n]+$/.test(code) && next?.language === 'http'
    return isAsked ? [{ place: `${page.path}:${line}`, command: code, answer: next.code }] : []
  })
}

/** The words of a shell's line, as far as the pages quote. */
const wordsOf = (command: string): string[] =>
  Array.from(command.matchAll(/'([^']*)'|(\S+)/g), ([, quoted, plain]) => quoted ?? plain ?? '')

/** Sends what a `curl -i` would send. Throws for an option that it does not know. */
export function sendCurl(command: string, to: (url: string) => string): Promise<Response> {
  const [, ...words] = wordsOf(command)
  const headers = new Headers({ accept: '*/*' })
  const init: RequestInit & { method?: string } = { headers, redirect: 'manual' }
  let url = ''
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    if (word === '-X') init.method = words.shift() ?? ''
    else if (word === '-H') {
      const [, name = '', value = ''] = /^([^:]+): *(.*)$/.exec(words.shift() ?? '') ?? []
      headers.append(name, value)
    } else if (word === '-d') {
      init.body = words.shift() ?? ''
      init.method ??= 'POST'
      if (!headers.has('content-type')) headers.set('content-type', 'application/x-www-form-urlencoded')
    } else if (/^https?:/.test(word)) url = word
    else if (word !== '-i') throw new TypeError(`curl: ${word} is not read here`)
  }
  return fetch(to(url), init)
}

/** The answer as the page would show it: its first line, those of the fields that the page shows, and its body. */
export async function asShown(response: Response, answer: string): Promise<string> {
  const [head = ''] = answer.split('\n\n')
  const [, ...lines] = head.split('\n')
  const fields = lines.map((line) => line.slice(0, line.indexOf(':')))
  return [
    `HTTP/1.1 ${response.status} ${response.statusText}`,
    ...fields.map((name) => `${name}: ${response.headers.get(name)}`),
    '',
    await response.text(),
  ].join('\n')
}
