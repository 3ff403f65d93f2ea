import { generateKeyPairSync, sign } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect } from '@jest/globals'
import { TestBrowser } from '../../packages/settings-session/test/browser.js'
import type { TestIssuer } from '../support/test-issuer.js'
import { type Running, until } from './program.js'
import { run } from './tarballs.js'

const discord = generateKeyPairSync('ed25519')
const { x: discordKey = '' } = discord.publicKey.export({ format: 'jwk' })
/** What the recipes' programs read from the environment. */
export const RECIPE_ENVIRONMENT = {
  DISCORD_PUBLIC_KEY: Buffer.from(discordKey, 'base64url').toString('hex'),
  SETTINGS_OAUTH_PRESET: 'github',
  SETTINGS_OAUTH_CLIENT_ID: 'a-client-of-the-tests',
  SETTINGS_OAUTH_CLIENT_SECRET: 'a-secret-of-the-tests',
  SLACK_SIGNING_SECRET: 'a-signing-secret-of-the-tests',
  TEAMS_APP_ID: '66666666-7777-8888-9999-000000000000',
  TEAMS_APP_SECRET: 'a-secret-of-the-tests',
  TEAMS_TENANT_ID: '11111111-2222-3333-4444-555555555555',
  TELEGRAM_BOT_TOKEN: '123456789:a-bot-token-of-the-tests',
  TELEGRAM_WEBHOOK_SECRET: 'a-webhook-secret-of-the-tests',
} as const

/** Microsoft, as far as the program for Teams asks it: for a token, and to deliver a reply. */
export interface Microsoft {
  readonly url: string
  readonly replies: { readonly path: string; readonly authorization: string | undefined; readonly text: string }[]
  stop(): void
}

export async function startMicrosoft(): Promise<Microsoft> {
  const replies: Microsoft['replies'] = []
  const server = createServer(async (request, response) => {
    const { url: path = '', headers } = request
    let body = ''
    for await (const chunk of request) body += String(chunk)
    response.writeHead(200, { 'content-type': 'application/json' })
    if (path === `/${RECIPE_ENVIRONMENT.TEAMS_TENANT_ID}/oauth2/v2.0/token`) {
      const isOurs = new URLSearchParams(body).get('client_secret') === RECIPE_ENVIRONMENT.TEAMS_APP_SECRET
      response.end(JSON.stringify(isOurs ? { access_token: 'of-the-bot' } : {}))
    } else {
      replies.push({ path, authorization: headers.authorization, text: JSON.parse(body).text })
      response.end('{}')
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, replies, stop: () => void server.close() }
}

const post = (url: string, headers: Record<string, string>, body: object) =>
  fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })

/** Opens what a chat showed, and returns the settings. */
async function openSettings(url: string, link: string, code: string): Promise<unknown> {
  const person = new TestBrowser(url)
  await person.confirm(link, { code })
  return (await person.send('/settings')).json()
}

export async function askOnDiscord({ url }: Running): Promise<void> {
  const send = (body: object, key = discord.privateKey) => {
    const sentAt = String(Math.floor(Date.now() / 1000))
    const signature = sign(null, Buffer.from(sentAt + JSON.stringify(body)), key).toString('hex')
    return post(`${url}/discord`, { 'x-signature-ed25519': signature, 'x-signature-timestamp': sentAt }, body)
  }
  expect(await (await send({ type: 1 })).json()).toEqual({ type: 1 })
  const command = { type: 2, data: { name: 'settings' }, member: { user: { id: '100000000000000001' } } }
  expect((await send(command, generateKeyPairSync('ed25519').privateKey)).status).toBe(401)
  const { data } = (await (await send(command)).json()) as {
    data: { content: string; flags: number; components: [{ components: [{ url: string }] }] }
  }
  expect(data.flags).toBe(64)
  const code = /\d{6}$/.exec(data.content)?.[0] ?? ''
  const settings = await openSettings(url, data.components[0].components[0].url, code)
  expect(settings).toEqual({ settingsOf: 'discord:100000000000000001' })
}

export async function askOnTeams({ url }: Running, issuer: TestIssuer, microsoft: Microsoft): Promise<void> {
  const activity = {
    ...{ type: 'message', id: '1', text: ' settings\n', serviceUrl: `${microsoft.url}/emea/` },
    conversation: { id: 'a:1', conversationType: 'personal' },
    from: { aadObjectId: 'o1' },
    channelData: { tenant: { id: 't1' } },
  }
  const claims = { aud: RECIPE_ENVIRONMENT.TEAMS_APP_ID, serviceurl: activity.serviceUrl }
  const send = async (parts: object, body: object = activity) => {
    const token = await issuer.token({ claims: { ...claims, sub: undefined, client_id: undefined, ...parts } })
    return post(`${url}/teams`, { authorization: `Bearer ${token}` }, body)
  }
  expect((await send({ aud: 'another-bot' })).status).toBe(401)
  expect((await send({ serviceurl: 'https://evil.example/' })).status).toBe(401)
  expect((await post(`${url}/teams`, {}, activity)).status).toBe(401)
  expect((await send({}, { ...activity, conversation: { id: 'c', conversationType: 'channel' } })).status).toBe(200)
  expect(microsoft.replies).toEqual([])
  expect((await send({})).status).toBe(200)
  const [reply] = microsoft.replies
  expect(reply).toMatchObject({ path: '/emea/v3/conversations/a%3A1/activities/1', authorization: 'Bearer of-the-bot' })
  const [, link = '', code = ''] =
    /^\[Open your settings\]\((.+)\)\. The page asks for: (\d+)$/.exec(reply?.text ?? '') ?? []
  expect(await openSettings(url, link, code)).toEqual({ settingsOf: 'teams:t1:o1' })
}

/** The page's own command, which sends what the platform would. */
export function askFromShell(command: string, folder: string): string {
  return run('bash', ['-c', command], folder, RECIPE_ENVIRONMENT)
}

export async function signIn(running: Running): Promise<void> {
  const { url, printed } = running
  const shown = () => /^(http\S+)\nThe page asks for: (\d+)$/m.exec(printed())
  await until(running, () => shown() !== null)
  const [, link = '', code = ''] = shown() ?? []
  const person = new TestBrowser(url)
  expect(await (await person.confirm(link, { code })).text()).toContain('/settings/oauth/start')
  const trip = await person.send('/settings/oauth/start')
  expect(trip.headers.get('location')).toMatch(/^https:\/\/github\.com\/login\/oauth\/authorize\?/)
  expect((await person.send('/settings')).status).toBe(403)
}
