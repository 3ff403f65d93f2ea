import { type Check, finishReport, printCheck } from '../checks.js'
import type { CommandDefinition } from '../command.js'
import { parseSeconds } from '../durations.js'
import { usageError } from '../errors.js'
import { parseUrl } from '../input.js'
import { readDpopClient } from './dpop-client.js'
import { addNetworkOptions, isAllowed, type NetworkWords, networkFromOptions } from './network.js'
import { smokeTest } from './smoke-test.js'
import { addTokenOption, readAccessToken } from './token.js'

interface SmokeOptions extends NetworkWords {
  readonly tokenFile?: string
  readonly register?: boolean
  readonly api?: boolean
  readonly dpop?: string
  readonly timeout?: number
}

/** `oauth smoke`: prints each check as soon as it is known. */
export const oauthSmoke: CommandDefinition<SmokeOptions, [url: string]> = {
  usage: 'smoke <url>',
  summary: 'act as a client of a protected resource, and report each step',
  details: 'The challenge, the metadata, the authorization server, and with a token the protocol.',
  examples: [
    'countersign oauth smoke https://mcp.example.com/mcp',
    'countersign oauth smoke https://mcp.example.com/mcp --token-file token --register',
    'countersign oauth smoke https://mcp.example.com/mcp --token-file token --dpop key.json',
  ],
  options: (command) =>
    addNetworkOptions(addTokenOption(command))
      .option('--register', 'register a client at the authorization server, and remove it where possible')
      .option('--dpop <file>', 'the private key (a JWK) that the token is bound to: present it with proofs (RFC 9449)')
      .option('--api', 'the URL is a plain API, called with GET, and not an MCP server')
      .option('--timeout <time>', 'how long one request may take (default: 10s)', parseSeconds),
  async run(context, options, url) {
    const { json, register, api, timeout, tokenFile, dpop } = options
    const parsed = parseUrl(url)
    if (parsed.hash !== '') throw usageError('the URL of a resource has no fragment (RFC 9728 §1.2): remove the "#…"')
    if (options.metadataUrl !== undefined) parseUrl(options.metadataUrl)
    const token = await readAccessToken(context, tokenFile)
    if (token !== undefined && !isAllowed(parsed, options.allowHttp ?? [])) {
      throw usageError('a token is sent over https only, or to this machine: use an https URL')
    }
    if (dpop !== undefined && token === undefined) throw usageError('--dpop is the key of a token: also pass the token')
    const checks = await smokeTest(url, {
      token,
      dpop: dpop === undefined ? undefined : await readDpopClient(context, dpop),
      register,
      api,
      timeoutMs: timeout === undefined ? undefined : timeout * 1000,
      signal: context.signal,
      metadataUrl: options.metadataUrl,
      network: (options.allowHttp ?? options.envProxy) === undefined ? undefined : networkFromOptions(options),
      onCheck: json ? undefined : (check: Check) => printCheck(context, check),
    })
    if (token === undefined && !json) context.output.note('No token was given: the checks that need one were skipped.')
    return finishReport(context, checks, { json, url })
  },
}
