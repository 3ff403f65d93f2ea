import {
  type AgentClient,
  type ClientConfigOptions,
  readCredentialFile,
  toClientConfig,
} from '@countersign/mcp-credential'
import type { CommandDefinition } from '../command.js'
import { usageError } from '../errors.js'

interface PrintOptions {
  readonly file: string
  readonly token?: boolean
}

/** `mcp print`: the header fields as JSON. It asks no store: an agent waits for it. */
export const mcpPrint: CommandDefinition<PrintOptions> = {
  usage: 'print',
  summary: 'print the header fields of a credential file, as the header helper of an agent',
  details: "For Claude Code's headersHelper and Codex's http_headers_helper. It needs no store.",
  examples: ['countersign mcp print --file ~/.config/app/credential.json'],
  options: (command) =>
    command
      .requiredOption('--file <file>', 'the file that "mcp issue --file" wrote')
      .option('--token', 'print the token alone'),
  async run({ output }, { file, token }) {
    const headers = await readCredential(file)
    if (token) output.line(tokenOf(headers))
    else output.json(headers)
  },
}

interface ClientConfigCommandOptions {
  readonly url: string
  readonly serverName: string
  readonly envName?: string
  readonly file?: string
}

/** `mcp client-config`: the configuration of an agent. Where it belongs is printed on standard error. */
export const mcpClientConfig: CommandDefinition<ClientConfigCommandOptions, [client: string]> = {
  usage: 'client-config <client>',
  summary: 'print the configuration of an agent',
  details: 'Clients: claude-code, codex, cursor, vscode, opencode, gemini, qwen, acp, sdk.',
  examples: [
    'countersign mcp client-config claude-code --url https://app.example.com/mcp --server-name app --file credential.json',
  ],
  options: (command) =>
    command
      .requiredOption('--url <url>', 'the MCP endpoint')
      .requiredOption('--server-name <name>', 'the name of the server in the client')
      .option('--env-name <name>', 'the variable that holds the token (default: MCP_CRED_<SERVER-NAME>)')
      .option('--file <file>', 'the file that "mcp issue --file" wrote'),
  async run({ output }, { url, serverName, envName, file, json }, client) {
    const holdsToken = WITH_TOKEN.includes(client)
    if (holdsToken && file === undefined) {
      throw usageError(
        `the configuration of ${client} holds the token: give --file with the file of "mcp issue --file"`,
      )
    }
    const settings: ClientConfigOptions = {
      url,
      serverName,
      ...(envName === undefined ? {} : { envName }),
      ...(file === undefined || !WITH_HELPER.includes(client) ? {} : { file }),
    }
    // The other configurations name a variable or a helper.
    const headers = holdsToken ? await readCredential(file as string) : { Authorization: '' }
    const credential = { authorizationHeader: headers.Authorization, token: tokenOf(headers) }
    const { path, folder, format, config, text, env } = toClientConfig(credential, client as AgentClient, settings)
    const [variable] = Object.keys(env)
    if (json) {
      output.json({ client, path, folder, format, config, text, variable })
      return
    }
    output.line(holdsToken ? JSON.stringify(config, undefined, 2) : text.trimEnd())
    if (path !== undefined)
      output.note(folder === 'home' ? `This belongs in ~/${path}.` : `This belongs in ${path}, in the project.`)
    if (variable !== undefined) {
      const source = file === undefined ? 'the token' : `"$(countersign mcp print --token --file ${file})"`
      output.note(`Start the agent with ${variable} set to ${source}.`)
    }
  },
}

/** Clients that call a helper for the header at each connection. */
const WITH_HELPER: readonly string[] = ['claude-code', 'codex']
/** Clients whose configuration holds the token. */
const WITH_TOKEN: readonly string[] = ['acp', 'sdk']

interface Headers {
  readonly Authorization: string
}

function tokenOf({ Authorization }: Headers): string {
  return Authorization.replace(/^Bearer /, '')
}

async function readCredential(file: string): Promise<Headers> {
  try {
    return await readCredentialFile(file)
  } catch (error) {
    const { code } = error as { code?: string }
    const why = code === 'ERR_COUNTERSIGN_CREDENTIAL_FILE' ? 'it holds no credential' : `it cannot be read (${code})`
    throw usageError(`${file}: ${why}: write it with "countersign mcp issue --file"`)
  }
}
