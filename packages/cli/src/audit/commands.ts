import type { AnyCommand } from '../command.js'
import { auditTail } from './tail.js'
import { auditVerify } from './verify.js'

/** The commands of `audit`. */
export const auditCommands: readonly AnyCommand[] = [auditTail, auditVerify]
