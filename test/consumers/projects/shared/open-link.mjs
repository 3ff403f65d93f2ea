import assert from 'node:assert/strict'

/** What a browser does with a settings link: the cookies it holds after the confirm page was confirmed. */
export async function openLink(settings) {
  const link = await settings.issueLink({ platform: 'chat', userId: 'u1' })
  let url = ''
  await settings.deliver(link, (sensitive) => {
    url = sensitive.reveal('deliver-to-user')
  })
  const cookies = new Map()
  const header = () => [...cookies].map((pair) => pair.join('=')).join('; ')
  const browse = async (target, init = {}) => {
    const cookie = header()
    const headers = { accept: 'text/html', ...init.headers, ...(cookie && { cookie }) }
    const response = await fetch(target, { ...init, headers, redirect: 'manual' })
    for (const line of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      if (value === '') cookies.delete(name)
      else cookies.set(name, value)
    }
    return response
  }
  const opened = await browse(url)
  assert.equal(opened.status, 303)
  const page = new URL(opened.headers.get('location'), url)
  const html = await (await browse(page)).text()
  const fields = [...html.matchAll(/<input[^>]* name="([^"]+)"[^>]* value="([^"]*)"/g)].map(([, ...pair]) => pair)
  const confirmed = await browse(page, {
    method: 'POST',
    headers: { origin: page.origin, 'sec-fetch-site': 'same-origin' },
    body: new URLSearchParams(fields),
  })
  assert.equal(confirmed.status, 303)
  return header()
}
