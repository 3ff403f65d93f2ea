import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createInterface } from 'node:readline'
import { eventLine, isProduction } from '@countersign/core/gate-kit'
import type { JsonOption } from '../command.js'
import type { Context } from '../context.js'
import { type ExitCode, exitCodes, usageError } from '../errors.js'
import { secretVariable } from '../hmac/variables.js'
import { loadOptional } from '../optional-package.js'
import { CALLER, createDevApp, type DevApp } from './app.js'

/** The options of `dev`. */
export interface DevOptions extends JsonOption {
  readonly port: number
  /** The address of the user's own app. */
  readonly app?: URL
}

/** Something to paste, and what it shows. */
interface Example {
  readonly title: string
  readonly lines: readonly string[]
}

/** `dev`: an issuer and all four gates on loopback, what their callers present, and each decision, until Ctrl+C. */
export async function dev(context: Context, { port, app: own, json }: DevOptions): Promise<ExitCode> {
  const { output, audit, env, signal } = context
  if (isProduction(env)) throw usageError('dev prints secrets and is not for production: unset NODE_ENV')
  const { default: makeApp } = await loadOptional('express', () => import('express'), 'dev')
  const server = await listen(port)
  const baseUrl = `http://localhost:${(server.address() as AddressInfo).port}`
  const ownUrl = own && resourceOf(own)
  const variable = secretVariable(CALLER)
  const secret = env[variable] ?? randomBytes(32).toString('base64url')
  const made = await createDevApp({ makeApp, baseUrl, ownUrl, secret, audit })
  server.on('request', made.app)

  const show = async () => {
    const examples = [
      ...(await examplesOf(made, baseUrl)),
      ...(await ownExamples(made, baseUrl, ownUrl, variable, secret)),
    ]
    if (json) return output.json({ issuer: baseUrl, examples })
    for (const { title, lines } of examples) {
      output.line(`\n${output.style('bold', title)}`)
      for (const line of lines) output.line(`  ${line}`)
    }
  }
  await show()
  if (!json) output.line('\nEnter prints new ones, Ctrl+C ends. Each decision:\n')
  const stop = audit.subscribe((event) => (json ? output.json(event) : output.line(eventLine(event))))
  const lines = createInterface({ input: context.stdin })
  const failed = new Promise<never>((_resolve, reject) => lines.on('line', () => void show().catch(reject)))
  try {
    if (!signal.aborted) await Promise.race([once(signal, 'abort'), failed])
  } finally {
    lines.close()
    stop()
    server.closeAllConnections()
    server.close()
    await made.close()
  }
  return exitCodes.ok
}

/** A resource is spelled without the slash that stands for no path, and has no fragment (RFC 8707). */
function resourceOf(url: URL): string {
  const bare = new URL(url)
  bare.hash = ''
  return bare.href.replace(/^([^/]*\/\/[^/]*)\/$/, '$1')
}

async function listen(port: number): Promise<Server> {
  const server = createServer().listen(port, '127.0.0.1')
  try {
    await once(server, 'listening')
    return server
  } catch (error) {
    const { code = 'no address' } = error as NodeJS.ErrnoException
    const why = code === 'EADDRINUSE' ? 'is in use' : `cannot be opened (${code})`
    throw usageError(`port ${port} ${why}: choose another one with --port; 0 picks any`)
  }
}

async function examplesOf({ signed, agent, link, issuer }: DevApp, baseUrl: string): Promise<readonly Example[]> {
  const { client, token } = issuer
  return [
    {
      title: 'A signed request of another service: 200, and 401 the second time',
      lines: [curl(`${baseUrl}/signed`, signed(`${baseUrl}/signed`))],
    },
    {
      title: 'An OAuth client',
      lines: [curl(`${baseUrl}/oauth`, { authorization: `Bearer ${await token(`${baseUrl}/oauth`)}` })],
    },
    {
      title: 'Another token from the issuer',
      lines: [
        `curl -s -u '${client.id}:${client.secret}' -d grant_type=client_credentials -d scope=read ${baseUrl}/token`,
      ],
    },
    { title: 'An agent that the app started', lines: [curl(`${baseUrl}/agent`, { authorization: await agent() })] },
    { title: 'A person with a link from a chat: open it in a browser', lines: [await link()] },
  ]
}

/** What the user's own app needs, and what it is asked. */
async function ownExamples(
  { signed, issuer }: DevApp,
  baseUrl: string,
  ownUrl: string | undefined,
  variable: string,
  secret: string,
): Promise<readonly Example[]> {
  if (ownUrl === undefined) return []
  const { host } = new URL(ownUrl)
  return [
    {
      title: `Your app at ${ownUrl}: signed requests`,
      lines: [
        `export ${variable}=${shellWord(secret)}`,
        `requireHmac({ secrets: secretsFromEnv(process.env, { callers: ['${CALLER}'] }), audience: ${jsString(host)} })`,
        curl(ownUrl, signed(ownUrl)),
      ],
    },
    {
      title: `Your app at ${ownUrl}: access tokens`,
      lines: [
        `requireOAuthBearer({ issuer: '${baseUrl}', resource: ${jsString(ownUrl)} })`,
        curl(ownUrl, { authorization: `Bearer ${await issuer.token(ownUrl)}` }),
      ],
    },
  ]
}

/** A command line for a POSIX shell. */
function curl(url: string, headers: Readonly<Record<string, string>>): string {
  const fields = Object.entries(headers).map(([name, value]) => ` -H ${shellWord(`${name}: ${value}`)}`)
  return `curl -i ${shellWord(url)}${fields.join('')}`
}

/** A text as one word for a POSIX shell, whatever is in it. */
function shellWord(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}

/** A text as a literal of JavaScript, whatever is in it but a line break. */
function jsString(text: string): string {
  return `'${text.replace(/[\\']/g, '\\$&')}'`
}
