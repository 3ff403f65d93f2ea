import type { Readable } from 'node:stream'
import type { Audit, Environment } from '@countersign/core'
import type { Output } from './output.js'

/** Everything a command reads from and writes to. */
export interface Context {
  readonly env: Environment
  readonly stdin: Readable & { readonly isTTY?: boolean }
  readonly output: Output
  /** Receives the events of what a command changes. */
  readonly audit: Audit
  /** Aborted by Ctrl+C. */
  readonly signal: AbortSignal
}
