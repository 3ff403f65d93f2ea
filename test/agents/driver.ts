import type { AgentClient, ClientConfig } from '@countersign/mcp-credential'

/** Where one run of an agent takes place. */
export interface Place {
  /** Where the agents' packages are installed. */
  readonly kit: string
  /** The folder that the agent works in, and the home of its user: `config` is written where it belongs. */
  readonly project: string
  readonly home: string
  /** The scripted model. */
  readonly model: string
  readonly config: ClientConfig
}

/** How an agent is started. */
export interface Command {
  readonly command: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  /** For our programs: what must not be in arguments. */
  readonly stdin?: string | undefined
}

/** An agent or a client. */
export interface Driver {
  readonly name: string
  /** The npm packages that it needs; the version of the first one is in the table. */
  readonly packages: readonly [string, ...string[]]
  /** Whose configuration it takes. */
  readonly client: AgentClient
  /** The credential file, below the home or the project; left out when the header is handed over otherwise. */
  readonly file?: { readonly base: 'project' | 'home'; readonly path: string }
  /** Writes what the agent needs beside the configuration, and says how it is started. */
  start(place: Place): Command
}

export const PROMPT = 'Open the preview of index.html.'
