import type { Standing } from './port.js'

/** Whether a credential is neither revoked nor superseded; it may be idle or expired. */
export function isCurrent(standing: Standing): boolean {
  return standing !== 'revoked' && standing !== 'superseded'
}
