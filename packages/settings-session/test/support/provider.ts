import { fileURLToPath } from 'node:url'
import type { SettingsOAuth } from '@countersign/settings-session'
import { type ChildApp, startChildApp } from '../../../../test/support/child-app.js'
import { freePort } from '../../../../test/support/redis-server.js'
import { TestBrowser } from '../browser.js'

export interface RunningProvider {
  readonly issuer: string
  readonly oauth: SettingsOAuth
  readonly app: ChildApp
}

/** What is special about a provider. */
export interface ProviderSetup {
  /** Clients beside `settings`, as oidc-provider takes them. */
  readonly clients?: readonly object[]
  /** `localhost` is another site than the apps', which are on 127.0.0.1. */
  readonly host?: string
}

/** A real OpenID provider in a process of its own. */
export async function startProvider(
  port?: number,
  { clients = [], host = '127.0.0.1' }: ProviderSetup = {},
): Promise<RunningProvider> {
  const file = fileURLToPath(new URL('./provider-process.ts', import.meta.url))
  const chosen = port ?? (await freePort())
  const env = { PORT: String(chosen), PROVIDER_HOST: host, PROVIDER_CLIENTS: JSON.stringify(clients) }
  const app = await startChildApp(file, env)
  const issuer = `http://${host}:${chosen}`
  const oauth = {
    issuer,
    clientId: 'settings',
    clientSecret: 'settings-client-secret-of-the-tests',
    providerName: 'Example ID',
  }
  return { issuer, oauth, app }
}

/**
 * What a person does at the provider: signs in under a name and consents. Begins at the authorization URL and ends with
 * the URL of our callback, which is not opened.
 */
export async function signInAt(authorizationUrl: string, name: string): Promise<string> {
  const browser = new TestBrowser(new URL(authorizationUrl).origin)
  let response = await browser.send(authorizationUrl)
  for (let step = 0; step < 20; step += 1) {
    const location = response.headers.get('location')
    if (location !== null) {
      const next = new URL(location, browser.origin)
      if (next.origin !== browser.origin) return next.href
      response = await browser.send(next)
      continue
    }
    const text = await response.text()
    const action = /<form[^>]* action="([^"]+)"/.exec(text)?.[1]
    if (action === undefined) throw new Error(`the provider answered ${response.status}:\n${text}`)
    const prompt = /name="prompt" value="(\w+)"/.exec(text)?.[1] as string
    const fields: Record<string, string> = prompt === 'login' ? { prompt, login: name, password: 'any' } : { prompt }
    response = await browser.post(action, fields)
  }
  throw new Error('the provider does not come to an end')
}

/** Confirms a link and goes to the provider; the answer of our callback, redirects not followed. */
export async function openWithSignIn(browser: TestBrowser, link: string, name: string): Promise<Response> {
  const page = await browser.confirm(link)
  if (page.status !== 200) throw new Error(`the confirmation answered ${page.status}`)
  return signInAgain(browser, name)
}

export async function signInAgain(
  browser: TestBrowser,
  name: string,
  start = '/settings/oauth/start',
): Promise<Response> {
  const response = await browser.send(start)
  if (response.status !== 302) return response
  return browser.send(await signInAt(response.headers.get('location') as string, name))
}
