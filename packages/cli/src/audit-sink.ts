import { createAudit, type Audit } from '@countersign/audit'
import type { Environment } from '@countersign/core'
import { unavailableError } from './command-error.js'

/** The emitter of one run of the command. */
export interface CommandAudit {
  readonly audit: Audit
  /** Opens what changes are recorded in, before the first one is made. @throws when it cannot be opened. */
  record(): Promise<void>
  /** Waits until everything is written. @throws {CommandError} when a change was made and could not be recorded. */
  close(): Promise<void>
}

/**
 * The emitter that the changes of a command are told to. With `COUNTERSIGN_AUDIT_JSONL` they go to that file, a chain
 * of its own: one file has one writer.
 */
export function createCommandAudit(env: Environment): CommandAudit {
  const audit = createAudit()
  const path = env.COUNTERSIGN_AUDIT_JSONL
  return {
    audit,
    async record() {
      if (path === undefined) return
      const { jsonl } = await import('@countersign/audit/jsonl')
      audit.subscribe(jsonl(path))
    },
    async close() {
      await audit.flush()
      const isLost = audit.stats().sinks.some(({ failed, dropped }) => failed + dropped > 0)
      await audit.close()
      if (!isLost) return
      throw unavailableError(`the change was made, and ${path} could not record it: check the file and its disk`)
    },
  }
}
