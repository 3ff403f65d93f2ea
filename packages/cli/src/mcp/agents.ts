import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import {
  type AgentClient,
  type ClientConfig,
  type ClientConfigOptions,
  type CredentialFileForm,
  readCredentialFile,
  toClientConfig,
} from '@countersign/mcp-credential'
import type { CommandDefinition } from '../command.js'
import { usageError } from '../errors.js'
import { formText } from './file-form.js'

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

/** `mcp client-config`: the configuration of an agent. Where it belongs, and what else to do, is printed on standard error. */
export const mcpClientConfig: CommandDefinition<ClientConfigCommandOptions, [client: string]> = {
  usage: 'client-config <client>',
  summary: 'print the configuration of an agent',
  details: 'Clients: claude-code, codex, cursor, vscode, opencode, gemini, qwen, acp, sdk.',
  examples: [
    'countersign mcp client-config claude-code --url https://app.example.com/mcp --server-name app --file credential.json',
    'countersign mcp client-config gemini --url https://app.example.com/mcp --server-name app --file .gemini/.env',
  ],
  options: (command) =>
    command
      .requiredOption('--url <url>', 'the MCP endpoint')
      .requiredOption('--server-name <name>', 'the name of the server in the client')
      .option('--env-name <name>', 'the variable that holds the token (default: MCP_CRED_<SERVER-NAME>)')
      .option('--file <file>', 'the file that the agent reads the credential from; for acp and sdk, that is read now'),
  async run({ output }, { url, serverName, envName, file, json }, client) {
    const described = await describe(client as AgentClient, { url, serverName, envName }, file)
    const { path, folder, format, config, text, env, fileForm } = described
    const [variable] = Object.keys(env)
    if (json) {
      output.json({ client, path, folder, format, config, text, variable, fileForm })
      return
    }
    output.line(format === 'object' ? JSON.stringify(config, undefined, 2) : text.trimEnd())
    if (path !== undefined) {
      const isThere = existsSync(folder === 'home' ? join(homedir(), path) : path)
      output.note(`This belongs in ${folder === 'home' ? `~/${path}` : `${path}, in the project`}.`)
      if (isThere) output.note('This file already exists: add this to it.')
    }
    if (file !== undefined && fileForm !== undefined && !(await holdsHeaders(file))) {
      const form = fileForm === 'headers' ? '' : ` --form ${formText(fileForm)}`
      output.note(`Write the credential with "countersign mcp issue --thread … --provider … --file ${file}${form}".`)
    }
    if (variable !== undefined) output.note(`Start the agent with ${variable} set to the token.`)
    else if (path !== undefined && fileForm === undefined) output.note('It asks its user for the token, once.')
  },
}

/** A credential that is not looked at: only `acp` and `sdk` have it in their configuration. */
const NONE = { authorizationHeader: '', token: '' }

/** What `toClientConfig` says. What holds the token is made from the file now; any other agent reads it by itself. */
async function describe(
  client: AgentClient,
  settings: ClientConfigOptions,
  file: string | undefined,
): Promise<ClientConfig> {
  const withoutFile = toClientConfig(NONE, client, settings)
  if (withoutFile.format === 'object') {
    if (file === undefined) {
      throw usageError(
        `the configuration of ${client} contains the token: use --file with the file of "mcp issue --file"`,
      )
    }
    const headers = await readCredential(file)
    return toClientConfig({ authorizationHeader: headers.Authorization, token: tokenOf(headers) }, client, settings)
  }
  if (file === undefined) return withoutFile
  const withFile = toClientConfig(NONE, client, { ...settings, file })
  await assertForm(client, withFile.fileForm, file)
  return withFile
}

/** What a client cannot read would be sent as the credential. */
async function assertForm(client: AgentClient, form: CredentialFileForm | undefined, file: string): Promise<void> {
  if (form === undefined || form === 'headers' || !(await holdsHeaders(file))) return
  throw usageError(
    `${file}: ${client} cannot read this form of file: write it with "countersign mcp issue --file" and --form ${formText(form)}`,
  )
}

/** Whether a file is there already, in the form of a header helper's. */
async function holdsHeaders(file: string): Promise<boolean> {
  return readCredentialFile(file).then(
    () => true,
    () => false,
  )
}

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
    const why =
      code === 'ERR_COUNTERSIGN_CREDENTIAL_FILE'
        ? 'it contains no credential for a helper'
        : `it cannot be read (${code})`
    throw usageError(`${file}: ${why}: write it with "countersign mcp issue --file"`)
  }
}
