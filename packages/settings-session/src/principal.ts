import type { PrincipalBase } from '@countersign/core'
import { sha256 } from '@countersign/core/gate-kit'

/** Whom a link is for: an account of a chat platform, within a team or workspace where the platform has them. */
export interface SettingsUser {
  readonly platform: string
  readonly team?: string
  readonly userId: string
}

/** Who somebody is at an OAuth or OpenID Connect provider. `subject` means something only together with `issuer`. */
export interface SettingsIdentity {
  readonly issuer: string
  readonly subject: string
}

/** A person who opened a link from a chat and, where identity is required, proved who they are. */
export interface SettingsSessionPrincipal extends PrincipalBase, SettingsUser {
  readonly kind: 'settings-session'
  /** `platform:userId`, or `platform:team:userId`; parts are percent-encoded. */
  readonly id: string
  /** The session's public id: not a secret, good for `revoke`. */
  readonly sessionId: string
  readonly agentId?: string
  readonly identity?: SettingsIdentity
}

declare module '@countersign/core' {
  interface PrincipalTypes {
    'settings-session': SettingsSessionPrincipal
  }
}

/** A user's name in audit events. */
export function principalId({ platform, team, userId }: SettingsUser): string {
  return [platform, ...(team === undefined ? [] : [team]), userId].map(encodeURIComponent).join(':')
}

/** The key of a user in a store: 128 bits of SHA-256, so that no separator in a name can make two users one. */
export function userKey({ platform, team, userId }: SettingsUser): string {
  return digest([platform, team ?? null, userId])
}

/** The key of an identity among the users of one platform and team: one person may have an account on each. */
export function identityKey({ issuer, subject }: SettingsIdentity, { platform, team }: SettingsUser): string {
  return digest([issuer, subject, platform, team ?? null])
}

/** A claim's name in answers: it names who claims, so that a yes to one is never a yes to another. */
export function claimKey({ issuer, subject }: SettingsIdentity): string {
  return digest([issuer, subject])
}

function digest(parts: readonly (string | null)[]): string {
  return sha256(JSON.stringify(parts)).subarray(0, 16).toString('base64url')
}
