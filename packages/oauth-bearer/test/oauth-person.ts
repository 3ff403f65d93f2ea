/** A person with a browser, who follows where a client sends them and agrees to everything. */
export async function agree(authorizationUrl: URL, redirectUri: string): Promise<URLSearchParams> {
  const cookies = new Map<string, string>()
  let url = authorizationUrl
  for (let step = 0; step < 20; step += 1) {
    const response = await fetch(url, {
      redirect: 'manual',
      headers: { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') },
    })
    for (const cookie of response.headers.getSetCookie()) {
      const [pair = ''] = cookie.split(';')
      const at = pair.indexOf('=')
      const isGone = /expires=Thu, 01 Jan 1970/i.test(cookie)
      if (isGone) cookies.delete(pair.slice(0, at))
      else cookies.set(pair.slice(0, at), pair.slice(at + 1))
    }
    const location = response.headers.get('location')
    if (location === null) throw new Error(`${url.pathname} answered ${response.status}: ${await response.text()}`)
    url = new URL(location, url)
    if (url.href.startsWith(redirectUri)) {
      if (url.searchParams.get('code') === null) throw new Error(`no code: ${url.search}`)
      return url.searchParams
    }
  }
  throw new Error('the authorization server sends its user around in circles')
}
