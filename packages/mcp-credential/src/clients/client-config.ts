import { OptionError } from '@countersign/core'
import { option, resolveOptions } from '@countersign/core/gate-kit'
import type { CredentialFileForm, HandedCredential } from './credential-file.js'
import { absolutePath, defaultHelper } from './helper-command.js'
import { type AgentClient, type Recipe, recipes } from './recipes.js'
import { variableOf } from './variables.js'

/** Options of {@link toClientConfig}. */
export interface ClientConfigOptions {
  /** The MCP endpoint, `http:` or `https:`. */
  readonly url: string
  /** The name of the MCP server in the client: letters, digits, `_` and `-`. */
  readonly serverName: string
  /** The environment variable that carries the token. Default `MCP_CRED_` and the server's name. */
  readonly envName?: string | undefined
  /**
   * The file that `writeCredentialFile` keeps up to date, so that the credential is not in the agent's environment. A
   * relative path is resolved. Claude Code and Codex ask a helper for the header at each connection, so a credential can be
   * rotated under a running agent; opencode reads the file when it starts, Gemini CLI and Qwen Code read it as their `.env`.
   */
  readonly file?: string | undefined
  /**
   * The helper's command, before `--file "<file>"`. Default: this Node.js, with the helper that is a part of this package,
   * both by their absolute paths.
   */
  readonly helper?: string | undefined
}

/** What to give to an agent. */
export interface ClientConfig {
  /** Where `text` belongs, below `folder`; undefined when it is handed over in memory. */
  readonly path: string | undefined
  /** Whether `path` is in the folder of the project that the agent works in, or in the home of its user. */
  readonly folder: 'project' | 'home' | undefined
  /** The format of `text`; `object` when there is only `config`. */
  readonly format: 'json' | 'toml' | 'object'
  /** The configuration as the client reads it. Holds the token for `acp` and `sdk` only. */
  readonly config: Readonly<Record<string, unknown>>
  /** `config`, written in `format`. For `acp` and `sdk` it is empty: they hold the token and are not to be written. */
  readonly text: string
  /** The environment to start the agent with. Holds the token; never put it into arguments. Empty with `file`. */
  readonly env: Readonly<Record<string, string>>
  /** With `file`: how this client reads it. The third argument of `writeCredentialFile`. */
  readonly fileForm: CredentialFileForm | undefined
}

const RULES = {
  url: option
    .custom<string>('an http: or https: URL without credentials', (value) => {
      const url = typeof value === 'string' && URL.canParse(value) ? new URL(value) : undefined
      const isHttp = url?.protocol === 'https:' || url?.protocol === 'http:'
      return isHttp && url.username === '' && url.password === '' ? (value as string) : undefined
    })
    .required(),
  serverName: option.string(/^[A-Za-z0-9_-]{1,64}$/, '1 to 64 of the characters A-Z a-z 0-9 _ -').required(),
  envName: option.string(/^[A-Z_][A-Z0-9_]{0,99}$/, 'the name of an environment variable, in capitals'),
  file: option.custom<string>('a path without quotes, $, \\, { } and control characters', (value) =>
    typeof value === 'string' && value !== '' ? absolutePath(value) : undefined,
  ),
  helper: option.string(),
}

/**
 * The exact configuration of an agent for this credential. The token stays out of every argument list and of every file
 * that a repository could pick up: the configuration names an environment variable, which `env` fills, or with `file` the
 * credential file.
 *
 * @throws {OptionError} for a wrong option, and for a server whose environment variable is another server's in this process.
 * @example
 * const { text, env } = toClientConfig(issued, 'claude-code', { url: 'https://app.example.com/mcp', serverName: 'app' })
 */
export function toClientConfig(
  credential: HandedCredential,
  client: AgentClient,
  options: ClientConfigOptions,
): ClientConfig {
  const { url, serverName, file, helper, envName } = resolveOptions('toClientConfig', options, RULES)
  const recipe = Object.hasOwn(recipes, client) ? recipes[client] : undefined
  if (recipe === undefined) throw invalid('client', `the client must be one of ${Object.keys(recipes).join(', ')}`)
  if (file !== undefined) assertReads(client, recipe, file)
  const fromEnvironment = recipe.filledBy === 'environment' && (file === undefined || recipe.reads === 'dotenv')
  const env = fromEnvironment ? variableOf(serverName, envName) : ''
  const config = recipe.config({
    url,
    name: serverName,
    env,
    file: file === undefined ? undefined : { path: file, helper: `${helper ?? defaultHelper()} --file "${file}"` },
    authorization: credential.authorizationHeader,
  })
  return Object.freeze({
    path: recipe.path,
    folder: recipe.folder,
    format: recipe.format,
    config,
    text: textOf(recipe, config),
    env: fromEnvironment && file === undefined ? { [env]: credential.token } : {},
    fileForm: file === undefined ? undefined : recipe.reads === 'dotenv' ? { envName: env } : recipe.reads,
  })
}

function invalid(name: string, message: string): OptionError {
  return new OptionError('ERR_COUNTERSIGN_OPTION_INVALID', name, `toClientConfig: ${message}`)
}

function assertReads(client: AgentClient, { reads }: Recipe, file: string): void {
  if (reads === undefined) {
    const able = Object.entries(recipes).filter(([, recipe]) => recipe.reads !== undefined)
    throw invalid('file', `"file" is for ${able.map(([name]) => name).join(', ')}: ${client} reads no file`)
  }
  if (reads === 'dotenv' && !file.endsWith('/.env')) {
    throw invalid(
      'file',
      `the only "file" that ${client} reads is the .env next to its settings, or in its home folder`,
    )
  }
}

function textOf({ format }: Recipe, config: Record<string, unknown>): string {
  if (format === 'object') return ''
  return format === 'json' ? `${JSON.stringify(config, undefined, 2)}\n` : toToml(config)
}

/** TOML, as far as it is needed: tables of tables of strings. A JSON string is a TOML basic string. */
function toToml(config: Record<string, unknown>): string {
  const lines: string[] = []
  for (const [table, entries] of Object.entries(config as Record<string, Record<string, Record<string, string>>>)) {
    for (const [name, values] of Object.entries(entries)) {
      lines.push(`[${table}.${name}]`)
      for (const [key, value] of Object.entries(values)) lines.push(`${key} = ${JSON.stringify(value)}`)
    }
  }
  return `${lines.join('\n')}\n`
}
