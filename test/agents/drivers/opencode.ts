import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Command, type Driver, type Place, PROMPT } from '../driver.js'

/** The model is the user's own setting; the MCP server is in the project. */
function configure({ home, model }: Place): Record<string, string> {
  const folder = join(home, '.config/opencode')
  mkdirSync(folder, { recursive: true })
  const scripted = {
    npm: '@ai-sdk/openai-compatible',
    name: 'scripted',
    options: { baseURL: `${model}/v1`, apiKey: 'none' },
    models: { scripted: { name: 'scripted', tool_call: true, limit: { context: 100_000, output: 10_000 } } },
  }
  const settings = {
    provider: { scripted },
    model: 'scripted/scripted',
    small_model: 'scripted/scripted',
    autoupdate: false,
  }
  writeFileSync(join(folder, 'opencode.json'), JSON.stringify(settings))
  return { OPENCODE_DISABLE_AUTOUPDATE: '1', OPENCODE_DISABLE_MODELS_FETCH: '1', OPENCODE_DISABLE_LSP_DOWNLOAD: '1' }
}

const commandOf = ({ kit }: Place) => join(kit, 'node_modules/.bin/opencode')

export const opencode: Driver = {
  name: 'opencode',
  packages: ['opencode-ai'],
  client: 'opencode',
  file: { base: 'home', path: 'token' },
  start: (place) => ({ command: commandOf(place), args: ['run', PROMPT], env: configure(place) }),
}

export const opencodeAcp: Driver = {
  name: 'opencode over ACP',
  packages: ['opencode-ai'],
  client: 'acp',
  start(place): Command {
    const { mcpServers } = place.config.config
    const stdin = JSON.stringify({
      command: commandOf(place),
      args: ['acp'],
      cwd: place.project,
      mcpServers,
      prompt: PROMPT,
    })
    return { command: process.execPath, args: [join(place.kit, 'acp.mjs')], env: configure(place), stdin }
  },
}
