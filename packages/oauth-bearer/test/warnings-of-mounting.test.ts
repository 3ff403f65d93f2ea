import { afterEach, beforeEach, expect, test } from '@jest/globals'
import express, { Router } from 'express'
import { type CaughtWarning, catchWarnings } from '../../../test/support/warnings.js'
import { type Harness, type HarnessOptions, oauthApp } from './harness.js'

const AT = '/.well-known/oauth-protected-resource'
const PAGES = 'https://countersign.example/errors'

let app: Harness
let warnings: CaughtWarning[]
let stop: () => void
beforeEach(() => {
  ;({ warnings, stop } = catchWarnings())
})
afterEach(async () => {
  stop()
  await app.stop()
})

let count = 0
/** An app for a resource of its own, so that its causes are new. */
async function start(routes: NonNullable<HarnessOptions['routes']>, options: HarnessOptions = {}): Promise<string> {
  count += 1
  const resource = `https://mcp${count}.example.com/mcp`
  app = await oauthApp({ resource, routes, ...options })
  return resource
}

async function challengeThrice(path = '/'): Promise<void> {
  for (let round = 0; round < 3; round += 1) expect((await app.get(undefined, path)).status).toBe(401)
}

test('metadata() below a path is told of once, where it runs and where it belongs', async () => {
  const resource = await start((routes, gate) => routes.use('/mcp', gate.metadata()))
  await challengeThrice('/mcp')
  expect(warnings).toEqual([
    {
      code: 'COUNTERSIGN_OAUTH_METADATA_MISPLACED',
      message: `metadata() of ${resource} is mounted at "/mcp", where only clients that read the challenge find it. See ${PAGES}/COUNTERSIGN_OAUTH_METADATA_MISPLACED`,
      detail:
        "Mount it at the root of the app: app.use(oauth.metadata()). If that is impossible, set 'resourceMetadataUrl'.",
    },
  ])
})

test('metadata() below a path that is none of the resource’s is where no client looks', async () => {
  const resource = await start((routes, gate) => routes.use('/other', gate.metadata()))
  await challengeThrice('/other')
  expect(warnings.map(({ message }) => message)).toEqual([
    `metadata() of ${resource} is mounted at "/other", where no client looks. See ${PAGES}/COUNTERSIGN_OAUTH_METADATA_MISPLACED`,
  ])
})

test('a challenge that points to metadata that nothing serves is told of once', async () => {
  const resource = await start((_routes, gate) => void gate.metadata())
  await challengeThrice()
  expect((await app.get()).headers.get('www-authenticate')).toContain('resource_metadata=')
  expect(warnings).toEqual([
    {
      code: 'COUNTERSIGN_OAUTH_METADATA_NOT_MOUNTED',
      message: `A challenge points to the metadata of ${resource}, and the app does not serve it. See ${PAGES}/COUNTERSIGN_OAUTH_METADATA_NOT_MOUNTED`,
      detail: expect.stringContaining('app.use(oauth.metadata())'),
    },
  ])
})

test.each<[string, NonNullable<HarnessOptions['routes']>, HarnessOptions]>([
  ['before the gate', (routes, gate) => routes.use(gate.metadata()), {}],
  ['after a route with the gate', (routes, gate) => routes.get('/', gate).use(gate.metadata()), {}],
  ['in a router that comes later', (routes, gate) => routes.get('/', gate).use(Router().use(gate.metadata())), {}],
  [
    'in an app that another app mounts',
    (routes, gate) => routes.get('/', gate).use(express().use(gate.metadata())),
    {},
  ],
  ['not at all, when it was not asked for', () => undefined, {}],
  [
    'below a path that is configured',
    (routes, gate) => routes.use('/mcp', gate.metadata()),
    { resourceMetadataUrl: 'https://mcp.example.com/mcp/.well-known/oauth-protected-resource' },
  ],
  [
    'on another server',
    (_routes, gate) => void gate.metadata(),
    { resourceMetadataUrl: 'https://other.example.com/metadata' },
  ],
])('metadata that is mounted %s is nothing to tell', async (_where, routes, options) => {
  await start(routes, options)
  await challengeThrice()
  expect(warnings).toEqual([])
})

test('a gate that refuses the request for its own metadata is told of once', async () => {
  const resource = await start((routes, gate) => routes.use(gate, gate.metadata()))
  await challengeThrice(`${AT}/mcp`)
  await challengeThrice()
  expect(warnings).toEqual([
    {
      code: 'COUNTERSIGN_OAUTH_METADATA_BEHIND_GATE',
      message: `requireOAuthBearer refused a request for the metadata of ${resource}. See ${PAGES}/COUNTERSIGN_OAUTH_METADATA_BEHIND_GATE`,
      detail: expect.stringContaining('Mount oauth.metadata() before the gate'),
    },
  ])
})
