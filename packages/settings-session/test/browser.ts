/** A person's browser as far as HTTP goes: cookies, redirects when asked, forms. */
export class TestBrowser {
  readonly cookies = new Map<string, string>()
  /** Every URL that was asked for, in its order. */
  readonly visited: string[] = []

  readonly origin: string

  constructor(origin: string) {
    this.origin = origin
  }

  get cookie(): string {
    return Array.from(this.cookies, ([name, value]) => `${name}=${value}`).join('; ')
  }

  /** One request, no redirect. */
  async send(target: string | URL, init: RequestInit = {}): Promise<Response> {
    const url = new URL(target, this.origin)
    this.visited.push(url.href)
    const headers = new Headers({ accept: 'text/html' })
    if (this.cookies.size > 0) headers.set('cookie', this.cookie)
    for (const [name, value] of new Headers(init.headers)) headers.set(name, value)
    const response = await fetch(url, { ...init, headers, redirect: 'manual' })
    for (const line of response.headers.getSetCookie()) this.#store(line)
    return response
  }

  /** A navigation: redirects are followed. */
  async open(target: string | URL, init: RequestInit = {}): Promise<Response> {
    const response = await this.send(target, init)
    const location = response.headers.get('location')
    if (location === null) return response
    await response.arrayBuffer()
    return this.open(new URL(location, new URL(target, this.origin)))
  }

  /** The form of a page, as the browser would post it. */
  async form(page: Response): Promise<{ readonly action: string; readonly fields: Record<string, string> }> {
    const text = await page.text()
    const action = /<form[^>]* action="([^"]+)"/.exec(text)?.[1]
    if (action === undefined) throw new Error(`no form on this page (${page.status}):\n${text}`)
    const inputs = text.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)"/g)
    return { action, fields: Object.fromEntries(Array.from(inputs, ([, name, value]) => [name, value])) }
  }

  post(target: string, fields: Record<string, string> = {}, headers: Record<string, string> = {}): Promise<Response> {
    return this.send(target, {
      method: 'POST',
      headers: { origin: this.origin, 'sec-fetch-site': 'same-origin', ...headers },
      body: new URLSearchParams(fields),
    })
  }

  /** Opens a link and presses the button of its confirm page; the answer to that, redirects not followed. */
  async confirm(link: string, more: Record<string, string> = {}): Promise<Response> {
    const { action, fields } = await this.form(await this.open(link))
    return this.post(action, { ...fields, ...more })
  }

  #store(line: string): void {
    const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
    if (value === '' || /max-age=0/i.test(line)) this.cookies.delete(name)
    else this.cookies.set(name, value)
  }
}
