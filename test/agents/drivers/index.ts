import type { Driver } from '../driver.js'
import { claudeCode } from './claude-code.js'
import { codex } from './codex.js'
import { gemini, qwen } from './gemini.js'
import { opencode, opencodeAcp } from './opencode.js'
import { agentSdk, aiSdk, inspector, mcporter, mcpRemote, sdkV1, sdkV2 } from './programs.js'

/** Every agent and client that is run, in the order of the table. */
export const drivers: readonly Driver[] = [
  ...[claudeCode, agentSdk, codex, opencode, opencodeAcp, gemini, qwen],
  ...[sdkV1, sdkV2, aiSdk, mcpRemote, mcporter, inspector],
]
