/** The agents whose configuration is known. */
export type AgentClient = 'claude-code' | 'codex' | 'cursor' | 'vscode' | 'opencode' | 'gemini' | 'qwen' | 'acp' | 'sdk'

/** What a recipe puts together. */
export interface RecipeParts {
  readonly url: string
  readonly name: string
  /** The name of the environment variable. */
  readonly env: string
  /** The absolute path of the credential file, and the command that prints its header fields. */
  readonly file: { readonly path: string; readonly helper: string } | undefined
  readonly authorization: string
}

/** How one client is configured. */
export interface Recipe {
  /** Below `folder`, by the client's convention. */
  readonly path?: string
  readonly folder?: 'project' | 'home'
  readonly format: 'json' | 'toml' | 'object'
  /** How the client reads a credential file; left out when it reads none. */
  readonly reads?: 'headers' | 'token' | 'dotenv'
  /** What fills the header when there is no file: a variable of the environment, the configuration itself, the user. */
  readonly filledBy: 'environment' | 'configuration' | 'user'
  config(parts: RecipeParts): Record<string, unknown>
}

/** Gemini CLI, and what was made of it: a variable, which a `.env` file beside the settings can set. */
function geminiIn(place: string): Recipe {
  return {
    path: `${place}/settings.json`,
    folder: 'project',
    format: 'json',
    reads: 'dotenv',
    filledBy: 'environment',
    config: ({ url, name, env }) => ({
      mcpServers: { [name]: { httpUrl: url, headers: { Authorization: `Bearer \${${env}}` } } },
    }),
  }
}

/** One recipe for each client, after the client's own documentation and what it did when it was run (docs/agents.md). */
export const recipes: Readonly<Record<AgentClient, Recipe>> = {
  'claude-code': {
    path: '.mcp.json',
    folder: 'project',
    format: 'json',
    reads: 'headers',
    filledBy: 'environment',
    config: ({ url, name, env, file }) => {
      const header =
        file === undefined ? { headers: { Authorization: `Bearer \${${env}}` } } : { headersHelper: file.helper }
      return { mcpServers: { [name]: { type: 'http', url, ...header } } }
    },
  },
  codex: {
    path: '.codex/config.toml',
    folder: 'home',
    format: 'toml',
    reads: 'headers',
    filledBy: 'environment',
    config: ({ url, name, env, file }) => {
      const header = file === undefined ? { bearer_token_env_var: env } : { http_headers_helper: file.helper }
      return { mcp_servers: { [name]: { url, ...header } } }
    },
  },
  cursor: {
    path: '.cursor/mcp.json',
    folder: 'project',
    format: 'json',
    filledBy: 'environment',
    config: ({ url, name, env }) => ({
      mcpServers: { [name]: { url, headers: { Authorization: `Bearer \${env:${env}}` } } },
    }),
  },
  // A window that is already open never sees a new environment: the editor asks once, and keeps the answer encrypted.
  vscode: {
    path: '.vscode/mcp.json',
    folder: 'project',
    format: 'json',
    filledBy: 'user',
    config: ({ url, name }) => {
      const id = `${name}-credential`
      return {
        inputs: [{ type: 'promptString', id, description: `The credential for ${name}`, password: true }],
        servers: { [name]: { type: 'http', url, headers: { Authorization: `Bearer \${input:${id}}` } } },
      }
    },
  },
  opencode: {
    path: 'opencode.json',
    folder: 'project',
    format: 'json',
    reads: 'token',
    filledBy: 'environment',
    config: ({ url, name, env, file }) => {
      const token = file === undefined ? `{env:${env}}` : `{file:${file.path}}`
      const server = { type: 'remote', url, oauth: false, headers: { Authorization: `Bearer ${token}` } }
      return { $schema: 'https://opencode.ai/config.json', mcp: { servers: { [name]: server } } }
    },
  },
  gemini: geminiIn('.gemini'),
  qwen: geminiIn('.qwen'),
  acp: {
    format: 'object',
    filledBy: 'configuration',
    config: ({ url, name, authorization }) => ({
      mcpServers: [{ type: 'http', name, url, headers: [{ name: 'Authorization', value: authorization }] }],
    }),
  },
  sdk: {
    format: 'object',
    filledBy: 'configuration',
    config: ({ url, authorization }) => ({ url, requestInit: { headers: { Authorization: authorization } } }),
  },
}
