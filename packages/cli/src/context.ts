import type { Readable, Writable } from 'node:stream'
import type { Audit } from '@countersign/audit'
import type { Environment } from '@countersign/core'
import type { Output } from './output.js'

/** What a command sees of the world. */
export interface Context {
  readonly env: Environment
  readonly stdin: Readable & { readonly isTTY?: boolean }
  readonly output: Output
  /** Where changes of state are told. */
  readonly audit: Audit
  /** Aborted by Ctrl+C. */
  readonly signal: AbortSignal
}

/** Where output goes: a terminal, a pipe, a file. */
export type Stream = Writable & { readonly isTTY?: boolean; readonly columns?: number }
