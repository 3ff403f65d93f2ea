import { type AgentClient, type ClientConfigOptions, toClientConfig } from '@countersign/mcp-credential'
import { usageError } from '../command-error.js'
import type { Context } from '../context.js'
import { readCredential } from './print.js'

/** The options of `mcp client-config`. */
export interface ClientConfigCommandOptions {
  readonly url: string
  readonly serverName: string
  readonly envName?: string
  readonly file?: string
  readonly json?: boolean
}

/** Clients that ask a helper for the header at each connection. */
const WITH_HELPER: readonly string[] = ['claude-code', 'codex']
/** Clients whose configuration holds the token itself. */
const DIRECT: readonly string[] = ['acp', 'sdk']
/** Stands where no token is needed: the configuration names a variable or a helper. */
const NO_TOKEN = { token: '', authorizationHeader: '' }

/**
 * `mcp client-config`: an agent's configuration, and on standard error where it belongs. Holds the token for acp and
 * sdk alone.
 */
export async function clientConfig(
  { output }: Context,
  { url, serverName, envName, file, json }: ClientConfigCommandOptions,
  client: string,
): Promise<undefined> {
  const isDirect = DIRECT.includes(client)
  if (isDirect && file === undefined) {
    throw usageError(`the configuration of ${client} holds the token: give --file with the file of "mcp issue --file"`)
  }
  const settings: ClientConfigOptions = {
    url,
    serverName,
    ...(envName === undefined ? {} : { envName }),
    ...(file === undefined || !WITH_HELPER.includes(client) ? {} : { file }),
  }
  const made = toClientConfig(isDirect ? await credentialOf(file as string) : NO_TOKEN, client as AgentClient, settings)
  const [variable] = Object.keys(made.env)
  if (json) {
    const { path, format, config, text } = made
    output.json({ client, path, format, config, text, ...(variable === undefined ? {} : { variable }) })
    return
  }
  output.line(isDirect ? JSON.stringify(made.config, undefined, 2) : made.text.trimEnd())
  if (made.path !== undefined) output.note(`This belongs into ${made.path}.`)
  if (variable !== undefined) {
    const source = file === undefined ? 'the token' : `"$(countersign mcp print --token --file ${file})"`
    output.note(`Start the agent with ${variable} set to ${source}.`)
  }
}

async function credentialOf(file: string) {
  const { Authorization: authorizationHeader } = await readCredential(file)
  return { authorizationHeader, token: authorizationHeader.replace(/^Bearer /, '') }
}
