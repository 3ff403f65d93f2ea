import { join } from 'node:path'
import type { AgentClient } from '@countersign/mcp-credential'
import type { Command, Driver, Place } from '../driver.js'
import { claudeEnvironment } from './claude-code.js'

/** A program of ours beside the packages, which is told by its standard input what to do. */
function program({ kit, model, config, project }: Place, file: string, more: object = {}): Command {
  const stdin = JSON.stringify({ model, config: config.config, kit, project, ...more })
  return { command: process.execPath, args: [join(kit, file)], env: {}, stdin }
}

function library(name: string, packages: Driver['packages'], file: string, client: AgentClient = 'sdk'): Driver {
  return { name, packages, client, start: (place) => program(place, file) }
}

export const agentSdk: Driver = {
  ...library('Claude Agent SDK', ['@anthropic-ai/claude-agent-sdk'], 'agent-sdk.mjs', 'claude-code'),
  file: { base: 'home', path: 'credential.json' },
  start: (place) => ({ ...program(place, 'agent-sdk.mjs'), env: claudeEnvironment(place) }),
}

export const sdkV1 = library('MCP SDK v1', ['@modelcontextprotocol/sdk'], 'sdk-v1.mjs')
export const sdkV2 = library('MCP SDK v2', ['@modelcontextprotocol/client'], 'sdk-v2.mjs')
export const aiSdk = library('AI SDK', ['ai', '@ai-sdk/mcp', '@ai-sdk/openai-compatible'], 'ai-sdk.mjs')
export const mcpRemote = library('mcp-remote', ['mcp-remote', '@modelcontextprotocol/sdk'], 'mcp-remote.mjs')
export const inspector = library('MCP Inspector', ['@modelcontextprotocol/inspector'], 'inspector.mjs')

/** mcporter reads Claude Code's configuration. */
export const mcporter = library('mcporter', ['mcporter'], 'mcporter.mjs', 'claude-code')
