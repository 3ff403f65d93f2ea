import { fileURLToPath } from 'node:url'
import { type OAuthBearerGate, requireOAuthBearer } from '@countersign/oauth-bearer'
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import cors from 'cors'
import { build } from 'esbuild'
import express, { type Express } from 'express'
import type { Browser, Page } from 'playwright-core'
import { mcpTools } from '../../packages/oauth-bearer/test/mcp-tools.js'
import { agree } from '../../packages/oauth-bearer/test/oauth-person.js'
import { type RealProvider, startProvider } from '../../packages/oauth-bearer/test/provider.js'
import { forBrowsers } from '../../packages/oauth-bearer/test/recipes/browser-clients.js'
import { openToScripts } from '../../packages/oauth-bearer/test/recipes/preflight.js'
import { launchChromium } from '../support/chromium.js'
import { type RunningServer, serve } from '../support/http-server.js'
import type { McpPage } from './mcp-page.js'

const REDIRECT = 'http://127.0.0.1:9/callback'

let browser: Browser
let provider: RealProvider
let host: RunningServer
let server: RunningServer
let page: Page
beforeAll(async () => {
  provider = await startProvider()
  const entryPoints = [fileURLToPath(new URL('./mcp-page.ts', import.meta.url))]
  const { outputFiles } = await build({ entryPoints, bundle: true, format: 'iife', platform: 'browser', write: false })
  const script = outputFiles[0]?.text
  host = await serve(
    express()
      .get('/script.js', (_request, response) => void response.type('js').send(script))
      .get('/', (_request, response) => void response.type('html').send('<script src="/script.js"></script>')),
  )
  browser = await launchChromium()
}, 60_000)
afterAll(async () => {
  await browser?.close()
  await host?.close()
  await provider?.stop()
})
afterEach(async () => {
  await page?.close()
  await server?.close()
})

type Create = (baseUrl: string) => Express

/** A page of another origin than the app's. */
async function open(create: Create): Promise<string> {
  let app: Express | undefined
  server = await serve((request, response) => app?.(request, response))
  app = create(server.url)
  page = await browser.newPage()
  await page.goto(host.url)
  return `${server.url}/mcp`
}

const connect = (url: string) => page.evaluate((to) => (window as unknown as { mcp: McpPage }).mcp.connect(to), url)
const call = (name: string) => page.evaluate((tool) => (window as unknown as { mcp: McpPage }).mcp.call(tool), name)

/** Lets the person agree to what the page asked last, and hands the code to the page. */
async function authorize(): Promise<void> {
  const sent = await page.evaluate(() => (window as unknown as { mcp: McpPage }).mcp.sent)
  const query = String(await agree(new URL(String(sent.at(-1))), REDIRECT))
  const done = await page.evaluate((text) => (window as unknown as { mcp: McpPage }).mcp.finish(text), query)
  expect(done).toBe('finished')
}

function addTools(app: Express, oauth: OAuthBearerGate): Express {
  const write = oauth.scopes('files:write')
  app.all('/mcp', oauth, express.json(), (request, response, next) =>
    request.body?.params?.name === 'write_file' ? write(request, response, next) : next(),
  )
  return app.all('/mcp', mcpTools())
}

const gateOf = (baseUrl: string) =>
  requireOAuthBearer({ resource: `${baseUrl}/mcp`, issuer: provider.issuer, scopes: ['mcp'] })

const OPEN: Readonly<Record<string, Create>> = {
  'with cors() behind the metadata': (baseUrl) => {
    const app = express()
    const oauth = gateOf(baseUrl)
    app.use(oauth.metadata(), cors({ exposedHeaders: ['Mcp-Session-Id'] }))
    return addTools(app, oauth)
  },
  'with cors() for one origin, before everything': (baseUrl) => {
    const app = express()
    const oauth = gateOf(baseUrl)
    app.use(cors({ origin: host.url, credentials: true }), oauth.metadata())
    return addTools(app, oauth)
  },
  'with the lines of the page in place of cors()': (baseUrl) => {
    const app = express()
    const oauth = gateOf(baseUrl)
    app.use(oauth.metadata())
    app.all('/mcp', openToScripts)
    return addTools(app, oauth)
  },
}

describe('an MCP client in a browser, on a page of another origin', () => {
  test.each(Object.keys(OPEN))(
    '[oauth-preflight] %s gets from 401 to a tool, and over 403 to the next one',
    async (name) => {
      const url = await open(OPEN[name] as Create)
      expect(await connect(url)).toMatch(/^failed: .*unauthorized/i)
      await authorize()
      expect(await connect(url)).toBe('connected')
      expect(await call('read_file')).toBe('read_file for u1')
      expect(await call('write_file')).toMatch(/^failed: .*unauthorized/i)
      await authorize()
      expect(await call('write_file')).toBe('write_file for u1')
    },
    60_000,
  )

  test("[oauth-preflight] the guide's server answers it", async () => {
    const url = await open((baseUrl) => forBrowsers(baseUrl, provider.issuer, mcpTools()))
    expect(await connect(url)).toMatch(/^failed: .*unauthorized/i)
    await authorize()
    expect(await connect(url)).toBe('connected')
    expect(await call('read_file')).toBe('read_file for u1')
  }, 60_000)

  test('[oauth-preflight] with neither, it reads the metadata and no answer of the gate', async () => {
    const url = await open((baseUrl) => {
      const oauth = gateOf(baseUrl)
      return addTools(express().use(oauth.metadata()), oauth)
    })
    expect(await connect(url)).toMatch(/failed to fetch/i)
    const place = `${server.url}/.well-known/oauth-protected-resource/mcp`
    const resource = await page.evaluate(async (at) => {
      const response = await fetch(at, { headers: { 'mcp-protocol-version': '2025-11-25' } })
      return ((await response.json()) as { resource: string }).resource
    }, place)
    expect(resource).toBe(url)
  }, 60_000)
})
