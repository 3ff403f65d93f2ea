import { sign } from '@countersign/hmac'
import { TestBrowser } from '../../packages/settings-session/test/browser.js'
import type { TestIssuer } from '../support/test-issuer.js'
import { printedAuthorization, type Running, until } from './program.js'

/** The programs of a page, in their order on it. */
export const STAGES = ['before', 'both', 'after'] as const
export type Stage = (typeof STAGES)[number]

/** The audience of the pages' programs. */
export const API = 'https://api.example.com'
/** What the pages' programs read from the environment. */
export const ENVIRONMENT = {
  INTERNAL_KEY: 'the-key-that-all-services-have',
  SCHEDULER_HMAC_SECRET: 'a-secret-of-the-tests-that-is-long-enough',
  SESSION_SECRET: 'a-secret-of-the-old-sessions',
  AGENT_TOKEN: 'a-token-that-never-ends',
  LINK_SECRET: 'a-secret-of-the-old-links',
} as const

/** `old` is the program from before, where it runs beside the one that is asked. */
type Ask = (
  stage: Stage,
  running: Running,
  issuer: TestIssuer,
  old: Running | undefined,
) => Promise<Record<string, Response>>
/** The status of an answer, and the reason in the event where it was a gate that refused. */
type Answer = readonly [number, string?]

/** How the programs of a page are asked, and what each answers; a request that a program cannot be sent has no answer. */
interface Migration {
  readonly ask: Ask
  /** Whether the program from before runs beside the later ones. */
  readonly needsOld?: true
  /** The request whose answer, after the migration, stands on the page. */
  readonly shown: string
  readonly answers: Readonly<Record<string, { readonly [S in Stage]?: Answer }>>
}

export function statusesOf(answers: Record<string, Response>): Record<string, number> {
  return Object.fromEntries(Object.entries(answers).map(([request, { status }]) => [request, status]))
}

/** An answer as a page shows it: without the header fields that are the same for all. */
export async function written(answer: Response): Promise<string> {
  const challenge = answer.headers.get('www-authenticate')
  const field = challenge === null ? '' : `WWW-Authenticate: ${challenge}\n`
  return `HTTP/1.1 ${answer.status} ${answer.statusText}\n${field}\n${await answer.text()}`
}

const post = (url: string, headers: Record<string, string>, body: string) =>
  fetch(url, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body })

const KEY = { 'x-service-key': ENVIRONMENT.INTERNAL_KEY }
const JOBS = '/internal/executions'

function signed(): Record<string, string> {
  const headers = { 'content-type': 'application/json' }
  return sign(
    { method: 'POST', url: JOBS, headers, body: Buffer.from('{"job":7}') },
    { caller: 'scheduler', version: 1, secret: ENVIRONMENT.SCHEDULER_HMAC_SECRET, audience: 'billing.example.com' },
  )
}

const ofService: Ask = async (stage, { url }) => {
  const captured = stage === 'before' ? KEY : signed()
  const send = (headers: Record<string, string>, path = JOBS, body = '{"job":7}') => post(url + path, headers, body)
  return {
    good: await send(captured),
    again: await send(captured),
    'another body': await send(captured, JOBS, '{"job":8}'),
    'another query': await send(captured, `${JOBS}?dryRun=false`),
    'the old key': await send(KEY),
  }
}

/** The link that a program prints. */
async function printedLink(running: Running): Promise<string> {
  const link = () => /^http:\S+$/m.exec(running.printed())?.[0]
  await until(running, () => link() !== undefined)
  return link() as string
}

const ofPerson: Ask = async (stage, running, _issuer, before) => {
  const link = await printedLink(running)
  const [person, another] = [new TestBrowser(running.url), new TestBrowser(running.url)]
  if (stage === 'before') await person.open(link)
  else await person.confirm(link)
  const good = await person.send('/settings')
  const old = new TestBrowser(running.url)
  const oldLink = before === undefined ? `${running.url}/settings/link/of-the-old-app` : await printedLink(before)
  if (before !== undefined) {
    const visitor = new TestBrowser(before.url)
    await visitor.open(oldLink)
    for (const [name, value] of visitor.cookies) old.cookies.set(name, value)
  }
  const change = { method: 'POST', body: new URLSearchParams({ volume: '11' }) }
  return {
    good,
    'the link in another browser': await another.open(link),
    'the form of another site': await person.send('/settings/volume', {
      ...change,
      headers: { accept: '*/*', origin: 'https://evil.example' },
    }),
    'our own form': await person.send('/settings/volume', { ...change, headers: { origin: running.url } }),
    'an old session': await old.send('/settings'),
    'an old link': await another.send(`/settings/link/${oldLink.split('/').at(-1)}`),
    nothing: await fetch(`${running.url}/settings`),
  }
}

const tool = (name: string) =>
  JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: {} } })

const ofAgent: Ask = async (stage, running) => {
  const old = `Bearer ${ENVIRONMENT.AGENT_TOKEN}`
  const authorization = stage === 'before' ? old : await printedAuthorization(running)
  const call = (headers: Record<string, string>, name = 'preview_open', query = '') =>
    post(`${running.url}/mcp${query}`, headers, tool(name))
  return {
    good: await call({ authorization }),
    'another tool': await call({ authorization }, 'shell'),
    'in the query': await call({}, 'preview_open', `?access_token=${authorization.slice('Bearer '.length)}`),
    'the old token': await call({ authorization: old }),
    nothing: await call({}),
  }
}

const ofClient: Ask = async (_stage, { url }, issuer) => {
  const token = (claims = {}) => issuer.token({ claims, header: { typ: 'JWT' } })
  const get = (given: string) => fetch(`${url}/files`, { headers: { authorization: `Bearer ${given}` } })
  // Before any token was verified: keys that are known are used.
  issuer.fail()
  const away = await get(await token())
  issuer.recover()
  const good = await token()
  let answer = await get(good)
  // The gate asks again a second after a failure.
  while (answer.status === 503) answer = await get(good)
  return {
    'the issuer is away': away,
    good: answer,
    'an ID token': await get(await token({ nonce: 'n', scope: undefined })),
    'for another API': await get(await token({ aud: 'https://other.example.com' })),
    'in the query': await fetch(`${url}/files?access_token=${good}`),
    nothing: await fetch(`${url}/files`),
  }
}

const ofClientWithScopes: Ask = async (stage, running, issuer, old) => {
  const answers = await ofClient(stage, running, issuer, old)
  const remove = async (scope: string) => {
    const headers = { authorization: `Bearer ${await issuer.token({ claims: { scope } })}` }
    return fetch(`${running.url}/files/1`, { method: 'DELETE', headers })
  }
  return {
    ...answers,
    'the scope': await remove('files:read files:write'),
    'without the scope': await remove('files:read'),
  }
}

const ofAll: Ask = async (stage, running, issuer) => {
  const jwt = async (aud: string) => ({
    headers: { authorization: `Bearer ${await issuer.token({ claims: { aud } })}` },
  })
  const { url } = running
  const captured = stage === 'before' ? KEY : signed()
  const agent = stage === 'before' ? `Bearer ${ENVIRONMENT.AGENT_TOKEN}` : await printedAuthorization(running)
  const link = await printedLink(running)
  const [person, another] = [new TestBrowser(url), new TestBrowser(url)]
  if (stage === 'after') await person.confirm(link)
  return {
    service: await post(url + JOBS, captured, '{"job":7}'),
    'service: another body': await post(url + JOBS, captured, '{"job":8}'),
    client: await fetch(`${url}/files`, await jwt(API)),
    'client: for another API': await fetch(`${url}/files`, await jwt('https://other.example.com')),
    agent: await post(`${url}/mcp`, { authorization: agent }, tool('preview_open')),
    'agent: another tool': await post(`${url}/mcp`, { authorization: agent }, tool('shell')),
    person: await person.open(stage === 'before' ? link : '/settings'),
    'person: the link in another browser': await another.open(link),
  }
}

const good = { before: [200], both: [200], after: [200] } as const

/** By page. */
export const MIGRATIONS: Readonly<Record<string, Migration>> = {
  'shared-key': {
    ask: ofService,
    shown: 'the old key',
    answers: {
      good,
      again: { before: [200], both: [401, 'replayed'], after: [401, 'replayed'] },
      'another body': { before: [200], both: [401, 'digest_mismatch'], after: [401, 'digest_mismatch'] },
      'another query': { before: [200], both: [401, 'bad_signature'], after: [401, 'bad_signature'] },
      'the old key': { before: [200], both: [200], after: [401, 'missing'] },
    },
  },
  'express-session': {
    ask: ofPerson,
    needsOld: true,
    shown: 'the form of another site',
    answers: {
      good,
      'the link in another browser': { before: [200], both: [401, 'spent'], after: [401, 'spent'] },
      'the form of another site': { before: [200], both: [403, 'cross_site'], after: [403, 'cross_site'] },
      'our own form': good,
      'an old session': { before: [401], both: [200], after: [401, 'missing'] },
      'an old link': { before: [401], both: [401, 'missing'], after: [401, 'missing'] },
      nothing: { before: [401], both: [401, 'missing'], after: [401, 'missing'] },
    },
  },
  'passport-http-bearer': {
    ask: ofAgent,
    shown: 'in the query',
    answers: {
      good,
      'another tool': { before: [200], both: [403, 'insufficient_scope'], after: [403, 'insufficient_scope'] },
      'in the query': { before: [200], both: [401], after: [401, 'missing'] },
      'the old token': { before: [200], both: [200], after: [401, 'missing'] },
      nothing: { before: [401], both: [401], after: [401, 'missing'] },
    },
  },
  'auth0-express-jwt-bearer': {
    ask: ofClientWithScopes,
    shown: 'an ID token',
    answers: {
      'the issuer is away': { before: [401], both: [401], after: [503, 'keys'] },
      good,
      'an ID token': { before: [200], both: [200, 'wrong_type'], after: [401, 'wrong_type'] },
      'for another API': { before: [401], both: [401], after: [401, 'wrong_audience'] },
      'in the query': { before: [200], both: [200, 'token in the URL'], after: [400, 'ambiguous'] },
      'the scope': good,
      'without the scope': { before: [403], both: [403], after: [403, 'insufficient_scope'] },
      nothing: { before: [401], both: [401], after: [401, 'missing'] },
    },
  },
  'express-jwt': {
    ask: ofClient,
    shown: 'for another API',
    answers: {
      'the issuer is away': { before: [500], both: [500], after: [503, 'keys'] },
      good,
      'an ID token': { before: [200], both: [200, 'wrong_type'], after: [401, 'wrong_type'] },
      'for another API': { before: [200], both: [200, 'wrong_audience'], after: [401, 'wrong_audience'] },
      'in the query': { before: [401], both: [401], after: [400, 'ambiguous'] },
      nothing: { before: [401], both: [401], after: [401, 'missing'] },
    },
  },
  'hand-written-checks': {
    ask: ofAll,
    shown: 'client: for another API',
    answers: {
      service: good,
      'service: another body': { before: [200], after: [401, 'digest_mismatch'] },
      client: good,
      'client: for another API': { before: [200], after: [401, 'wrong_audience'] },
      agent: good,
      'agent: another tool': { before: [200], after: [403, 'insufficient_scope'] },
      person: good,
      'person: the link in another browser': { before: [200], after: [401, 'spent'] },
    },
  },
}
