/** How a browser sends a request; redirects are its own to follow. */
export type Send = (url: string | URL, init: RequestInit) => Promise<Response>

/** A person's browser as far as HTTP goes: cookies, redirects, forms. */
export class Browser {
  readonly cookies: Map<string, string> = new Map()
  readonly #send: Send

  constructor(send: Send = fetch) {
    this.#send = send
  }

  async open(url: string | URL, init: RequestInit = {}): Promise<Response> {
    const cookie = Array.from(this.cookies, ([name, value]) => `${name}=${value}`).join('; ')
    const headers = { Accept: 'text/html', ...init.headers, ...(cookie === '' ? {} : { Cookie: cookie }) }
    const response = await this.#send(url, { ...init, headers, redirect: 'manual' })
    for (const line of response.headers.getSetCookie()) this.#store(line)
    const location = response.headers.get('location')
    if (location === null) return response
    await response.arrayBuffer()
    return this.open(new URL(location, url))
  }

  #store(line: string): void {
    const pair = line.split(';', 1)[0] ?? ''
    const name = pair.slice(0, pair.indexOf('='))
    const value = pair.slice(pair.indexOf('=') + 1)
    if (value === '' || /max-age=0/i.test(line)) this.cookies.delete(name)
    else this.cookies.set(name, value)
  }

  /** Opens a settings link and presses the button of its confirm page. Returns the last answer. */
  async confirm(link: string): Promise<Response> {
    const page = await this.open(link)
    const form = page.status === 200 ? formOf(await page.clone().text()) : undefined
    return form === undefined ? page : this.press(form, link)
  }

  /** Presses the button of a form that a link led to. Returns the last answer. */
  press({ action, fields }: PageForm, link: string): Promise<Response> {
    return this.open(new URL(action, link), {
      method: 'POST',
      headers: { Origin: new URL(link).origin, 'Sec-Fetch-Site': 'same-origin' },
      body: new URLSearchParams(fields as [string, string][]),
    })
  }
}

/** A form of a page: where it goes, and what it sends. */
export interface PageForm {
  readonly action: string
  readonly fields: readonly [string, string][]
}

/** The form of a page, or undefined. */
export function formOf(html: string): PageForm | undefined {
  const action = /<form[^>]* action="([^"]+)"/.exec(html)?.[1]
  const inputs = html.matchAll(/<input[^>]* name="([^"]+)"[^>]* value="([^"]*)"/g)
  const fields = Array.from(inputs, ([, name = '', value = '']): [string, string] => [name, value])
  return action === undefined ? undefined : { action, fields }
}
