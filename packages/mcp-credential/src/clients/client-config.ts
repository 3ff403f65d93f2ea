import { OptionError } from '@countersign/core'
import { option, resolveOptions } from '@countersign/core/gate-kit'

/** The agents whose configuration is known. */
export type AgentClient = 'claude-code' | 'codex' | 'cursor' | 'opencode' | 'gemini' | 'acp' | 'sdk'

/** Options of {@link toClientConfig}. */
export interface ClientConfigOptions {
  /** The MCP endpoint, `http:` or `https:`. */
  readonly url: string
  /** The name of the MCP server in the client: letters, digits, `_` and `-`. */
  readonly serverName: string
  /** The environment variable that carries the token. Default `MCP_CRED_` and the server's name. */
  readonly envName?: string | undefined
  /**
   * The file that `writeCredentialFile` keeps up to date. With it Claude Code and Codex ask a helper for the header at
   * each connection, so that a credential can be rotated under a running agent.
   */
  readonly file?: string | undefined
  /** The helper's command, before `--file <file>`. Default `countersign mcp print`. */
  readonly helper?: string | undefined
}

/** What to give to an agent. */
export interface ClientConfig {
  /** Where `text` belongs, by the client's convention; undefined when it is handed over in memory. */
  readonly path: string | undefined
  /** What `path` begins in: the folder that the agent works in, or its user's home. */
  readonly folder: 'project' | 'home' | undefined
  /** The format of `text`; `object` when there is only `config`. */
  readonly format: 'json' | 'toml' | 'object'
  /** The configuration as the client reads it. Holds the token for `acp` and `sdk` only. */
  readonly config: Readonly<Record<string, unknown>>
  /** `config`, written in `format`. For `acp` and `sdk` it is empty: they hold the token and are not to be written. */
  readonly text: string
  /** The environment to start the agent with. Holds the token; never put it into arguments. */
  readonly env: Readonly<Record<string, string>>
}

/** A credential as far as a client needs it. */
export interface HandedCredential {
  readonly token: string
  readonly authorizationHeader: string
}

interface Recipe {
  readonly path?: string
  readonly folder?: 'project' | 'home'
  readonly format: ClientConfig['format']
  /** Whether the client can ask a helper for the header. */
  readonly takesHelper?: boolean
  /** Whether the token itself is in the configuration. */
  readonly isDirect?: boolean
  config(parts: RecipeParts): Record<string, unknown>
}

interface RecipeParts {
  readonly url: string
  readonly name: string
  readonly env: string
  readonly helper: string | undefined
  readonly authorization: string
}

/** One recipe for each client, after the client's own documentation. */
const recipes: Readonly<Record<AgentClient, Recipe>> = {
  'claude-code': {
    path: '.mcp.json',
    folder: 'project',
    format: 'json',
    takesHelper: true,
    config: ({ url, name, env, helper }) => {
      const header =
        helper === undefined ? { headers: { Authorization: `Bearer \${${env}}` } } : { headersHelper: helper }
      return { mcpServers: { [name]: { type: 'http', url, ...header } } }
    },
  },
  codex: {
    path: '.codex/config.toml',
    folder: 'home',
    format: 'toml',
    takesHelper: true,
    config: ({ url, name, env, helper }) => {
      const header = helper === undefined ? { bearer_token_env_var: env } : { http_headers_helper: helper }
      return { mcp_servers: { [name]: { url, ...header } } }
    },
  },
  cursor: {
    path: '.cursor/mcp.json',
    folder: 'project',
    format: 'json',
    config: ({ url, name, env }) => ({
      mcpServers: { [name]: { url, headers: { Authorization: `Bearer \${env:${env}}` } } },
    }),
  },
  opencode: {
    path: 'opencode.json',
    folder: 'project',
    format: 'json',
    config: ({ url, name, env }) => ({
      $schema: 'https://opencode.ai/config.json',
      mcp: {
        servers: { [name]: { type: 'remote', url, oauth: false, headers: { Authorization: `Bearer {env:${env}}` } } },
      },
    }),
  },
  gemini: {
    path: '.gemini/settings.json',
    folder: 'project',
    format: 'json',
    config: ({ url, name, env }) => ({
      mcpServers: { [name]: { httpUrl: url, headers: { Authorization: `Bearer \${${env}}` } } },
    }),
  },
  acp: {
    format: 'object',
    isDirect: true,
    config: ({ url, name, authorization }) => ({
      mcpServers: [{ type: 'http', name, url, headers: [{ name: 'Authorization', value: authorization }] }],
    }),
  },
  sdk: {
    format: 'object',
    isDirect: true,
    config: ({ url, authorization }) => ({ url, requestInit: { headers: { Authorization: authorization } } }),
  },
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
  file: option.string(/^[^\u0000-\u001f"'`$\\]+$/, 'a path without quotes, $, \\ and control characters'),
  helper: option.string().default('countersign mcp print'),
}

/**
 * The exact configuration of an agent for this credential. The token stays out of every argument list and of every file
 * that a repository could pick up: the configuration names an environment variable, `env` fills it.
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
  const { url, serverName, file, helper, ...rest } = resolveOptions('toClientConfig', options, RULES)
  const recipe = Object.hasOwn(recipes, client) ? recipes[client] : undefined
  if (recipe === undefined) {
    const known = Object.keys(recipes).join(', ')
    throw new OptionError(
      'ERR_COUNTERSIGN_OPTION_INVALID',
      'client',
      `toClientConfig: the client must be one of ${known}`,
    )
  }
  if (file !== undefined && recipe.takesHelper !== true) {
    const able = Object.entries(recipes).filter(([, { takesHelper }]) => takesHelper)
    throw new OptionError(
      'ERR_COUNTERSIGN_OPTION_INVALID',
      'file',
      `toClientConfig: "file" is for ${able.map(([name]) => name).join(' and ')}: ${client} asks no helper`,
    )
  }
  const env = rest.envName ?? `MCP_CRED_${serverName.toUpperCase().replaceAll('-', '_')}`
  const command = file === undefined ? undefined : `${helper} --file "${file}"`
  const authorization = credential.authorizationHeader
  const config = recipe.config({ url, name: serverName, env, helper: command, authorization })
  const needsEnvironment = recipe.isDirect !== true && command === undefined
  if (needsEnvironment) assertOwnVariable(serverName, env, rest.envName !== undefined)
  return Object.freeze({
    path: recipe.path,
    folder: recipe.folder,
    format: recipe.format,
    config,
    text: textOf(recipe, config),
    env: needsEnvironment ? { [env]: credential.token } : {},
  })
}

/** Which server each variable is for, the oldest first. `isChosen`: the app named it. */
const variables = new Map<string, { readonly serverName: string; readonly isChosen: boolean }>()
const MAX_VARIABLES = 1000

/**
 * One variable holds one token: of two servers in one environment, one would be sent the other's. Whoever names a variable
 * for both knows what is started with it.
 */
function assertOwnVariable(serverName: string, env: string, isChosen: boolean): void {
  const known = variables.get(env)
  if (known !== undefined && known.serverName !== serverName && !(known.isChosen && isChosen)) {
    throw new OptionError(
      'ERR_COUNTERSIGN_OPTION_INVALID',
      'serverName',
      `toClientConfig: the servers ${known.serverName} and ${serverName} would share the environment variable ${env}. Name them differently, or give "envName"`,
    )
  }
  variables.delete(env)
  variables.set(env, { serverName, isChosen })
  if (variables.size > MAX_VARIABLES) variables.delete(variables.keys().next().value as string)
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
