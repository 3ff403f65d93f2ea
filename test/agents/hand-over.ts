import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import {
  type AgentClient,
  type ClientConfig,
  type IssueOptions,
  toClientConfig,
  writeCredentialFile,
} from '@countersign/mcp-credential'
import type { World } from './world.js'

/** A credential that was issued. */
export interface Held extends IssueOptions {
  readonly credentialId: string
  revoke(): Promise<unknown>
}

/** What an agent was given. */
export interface Handed {
  readonly config: ClientConfig
  readonly issued: Held
  /** Issues for the same thread, and publishes it where the agent reads its credential. */
  rotate(onExisting: 'supersede' | 'carry'): Promise<void>
}

type HandOver = (world: World, client: AgentClient, file: string | undefined) => Promise<Handed>

const SUBJECT = { threadId: 'thread', providerInstanceId: 'agent', capabilities: ['preview'] }
const SERVER = 'app'

/** As an app does it. */
export const byLibrary: HandOver = async ({ credentials, url }, client, file) => {
  const issued = await credentials.issue(SUBJECT)
  const config = toClientConfig(issued, client, { url, serverName: SERVER, file })
  if (file !== undefined) await writeCredentialFile(file, issued, config.fileForm)
  return {
    config,
    issued,
    async rotate(onExisting) {
      const next = await credentials.issue({ ...SUBJECT, onExisting })
      if (file !== undefined) await writeCredentialFile(file, next, config.fileForm)
    },
  }
}

const COMMAND = fileURLToPath(new URL('../../packages/cli/dist/bin.js', import.meta.url))

/** As a person does it in a shell. What has no file is handed over by the library: it is in memory. */
export const byCommand: HandOver = async (world, client, file) => {
  if (file === undefined) return byLibrary(world, client, file)
  const countersign = async (...words: string[]): Promise<unknown> => {
    const env = { PATH: process.env.PATH, REDIS_URL: world.redis.url }
    const { stdout } = await promisify(execFile)(process.execPath, [COMMAND, 'mcp', ...words, '--json'], { env })
    return JSON.parse(stdout)
  }
  const server = ['--url', world.url, '--server-name', SERVER, '--file', file]
  const config = { env: {}, ...((await countersign('client-config', client, ...server)) as Omit<ClientConfig, 'env'>) }
  const { fileForm = 'headers' } = config
  const form = ['--file', file, '--form', typeof fileForm === 'string' ? fileForm : `env:${fileForm.envName}`]
  const issue = async (onExisting: string): Promise<string> => {
    const subject = ['--thread', SUBJECT.threadId, '--provider', SUBJECT.providerInstanceId, '--capability', 'preview']
    const issued = await countersign('issue', ...subject, '--on-existing', onExisting, ...form)
    return (issued as { credentialId: string }).credentialId
  }
  const credentialId = await issue('supersede')
  return {
    config,
    issued: { ...SUBJECT, credentialId, revoke: () => world.credentials.revoke(credentialId) },
    rotate: async (onExisting) => void (await issue(onExisting)),
  }
}
