import type { AnyCommand } from '../command.js'
import { mcpClientConfig, mcpPrint } from './agents.js'
import { mcpIssue, mcpList, mcpRevoke, mcpShow } from './credentials.js'

/** The commands of `mcp`. */
export const mcpCommands: readonly AnyCommand[] = [
  ...[mcpIssue, mcpList, mcpShow, mcpRevoke, mcpPrint, mcpClientConfig],
]
