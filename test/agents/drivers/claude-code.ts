import { join } from 'node:path'
import { type Driver, type Place, PROMPT } from '../driver.js'

/** What keeps Claude Code to the scripted model, and to asking nobody else. */
export function claudeEnvironment({ home, model }: Place): Record<string, string> {
  return {
    ANTHROPIC_BASE_URL: model,
    ANTHROPIC_API_KEY: 'none',
    CLAUDE_CONFIG_DIR: join(home, '.claude'),
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
    DISABLE_AUTOUPDATER: '1',
    ENABLE_TOOL_SEARCH: 'false',
  }
}

export const claudeCode: Driver = {
  name: 'Claude Code',
  packages: ['@anthropic-ai/claude-code'],
  client: 'claude-code',
  file: { base: 'home', path: 'credential.json' },
  start: (place) => ({
    command: join(place.kit, 'node_modules/.bin/claude'),
    args: [
      '-p',
      PROMPT,
      '--mcp-config',
      '.mcp.json',
      '--strict-mcp-config',
      '--allowedTools',
      'mcp__app__preview_open',
    ],
    env: claudeEnvironment(place),
  }),
}
