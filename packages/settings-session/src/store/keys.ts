import { sha256 } from '@countersign/core/gate-kit'
import type { SettingsIdentity, SettingsUser } from '../principal.js'

/** The key of a user: 128 bits of SHA-256, so that no separator in a name can make two users one. */
export function userKey({ platform, team, userId }: SettingsUser): string {
  return digest([platform, team ?? null, userId])
}

/** The key of the users of one platform and team. */
export function placeKey({ platform, team }: SettingsUser): string {
  return digest([platform, team ?? null])
}

/** The key of an identity among the users of one platform and team: a person may have an account on each. */
export function identityKey({ issuer, subject }: SettingsIdentity, { platform, team }: SettingsUser): string {
  return digest([issuer, subject, platform, team ?? null])
}

/** The key of a first claim. It names the identity, so that a yes to one identity is never a yes to another. */
export function claimKey({ issuer, subject }: SettingsIdentity): string {
  return digest([issuer, subject])
}

/** The key of what is counted. */
export function attemptKey(name: string): string {
  return digest([name])
}

function digest(parts: readonly (string | null)[]): string {
  return sha256(JSON.stringify(parts)).subarray(0, 16).toString('base64url')
}

/** An identity as it is stored and compared. */
export function identityText({ issuer, subject }: SettingsIdentity): string {
  return JSON.stringify({ issuer, subject })
}

/** The identity that was stored as a text. */
export function identityFrom(text: string): SettingsIdentity {
  return JSON.parse(text) as SettingsIdentity
}
