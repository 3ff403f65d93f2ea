import type { PrincipalBase } from '@countersign/core'

/** Whom a link is for: an account of a chat platform, within a team or workspace where the platform has them. */
export interface SettingsUser {
  /** The chat platform, such as `slack`. */
  readonly platform: string
  /** The team or workspace, where the platform has them. */
  readonly team?: string | undefined
  /** The user's id on the platform. */
  readonly userId: string
}

/** An account at an OAuth or OpenID Connect provider. `subject` is unique only within `issuer`. */
export interface SettingsIdentity {
  readonly issuer: string
  readonly subject: string
}

/** A person who opened a link from a chat and, where identity is required, proved who they are. */
export interface SettingsSessionPrincipal extends PrincipalBase, SettingsUser {
  readonly kind: 'settings-session'
  /** `platform:userId`, or `platform:team:userId`; the parts are percent-encoded. */
  readonly id: string
  /** The session's public id: not a secret; `revoke` takes it. */
  readonly sessionId: string
  /** The agent on whose behalf the link was offered. */
  readonly agentId?: string | undefined
  /** The identity that the person proved, where one is required. */
  readonly identity?: SettingsIdentity | undefined
}

declare module '@countersign/core' {
  interface PrincipalTypes {
    'settings-session': SettingsSessionPrincipal
  }
}

/** What a session holds about its person. */
export interface SessionOwner {
  /** The session's public id. */
  readonly id: string
  readonly user: SettingsUser
  readonly agentId?: string | undefined
  readonly identity?: SettingsIdentity | undefined
}

/** The principal of a session. */
export function principalOfSession({ id, user, agentId, identity }: SessionOwner): SettingsSessionPrincipal {
  const { platform, team, userId } = user
  return Object.freeze({
    kind: 'settings-session',
    id: principalId(user),
    sessionId: id,
    platform,
    ...(team === undefined ? {} : { team }),
    userId,
    ...(agentId === undefined ? {} : { agentId }),
    ...(identity === undefined ? {} : { identity: Object.freeze({ ...identity }) }),
  })
}

/** A user's name in principals and events. */
export function principalId({ platform, team, userId }: SettingsUser): string {
  return [platform, ...(team === undefined ? [] : [team]), userId].map(encodeURIComponent).join(':')
}
