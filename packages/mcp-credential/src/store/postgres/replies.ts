import type { CredentialLife, CredentialRecord, NewCredential, Standing } from '../port.js'

/** What the database tells of a credential; `digest` in hex, then the credential that the token stands for, and the server's now. */
export type FoundRow = readonly [
  standing: Standing,
  digest: string,
  holder: string,
  subject: string,
  issuedAt: number,
  expiresAt: number,
  idleAt: number,
  now: number,
]

type Subject = readonly [threadId: string, providerInstanceId: string, session: string | null, capabilities: string[]]

/** What a credential is for, as one text: no text of PostgreSQL holds every character that JSON does. */
export function subjectText(credential: NewCredential): string {
  const { threadId, providerInstanceId, providerSessionId = null, capabilities } = credential
  return JSON.stringify([threadId, providerInstanceId, providerSessionId, capabilities])
}

/** The credential in an answer. */
export function recordInRow([, , id, subject, issuedAt, expiresAt, idleAt]: FoundRow): CredentialRecord {
  const [threadId, providerInstanceId, session, capabilities] = JSON.parse(subject) as Subject
  return {
    credentialId: id,
    threadId,
    providerInstanceId,
    providerSessionId: session ?? undefined,
    capabilities: Object.freeze(capabilities),
    issuedAt,
    expiresAt,
    idleAt,
  }
}

/** A life as the functions read it. */
export interface LifeTerms {
  readonly idle: number
  readonly coalesce: number
  readonly max: number
  readonly absolute: number | null
  readonly retention: number
  readonly revivesIdle: boolean
  readonly onUse: boolean
  readonly onTouch: boolean
}

/** Makes {@link LifeTerms}. */
export function lifeOf(life: CredentialLife): LifeTerms {
  const { idleTimeoutMs, coalesceMs, maximumLifetimeMs, absoluteLifetimeMs = null, retentionMs } = life
  const { revivesIdle, slidesOnUse, slidesOnTouch } = life
  return {
    idle: idleTimeoutMs,
    coalesce: coalesceMs,
    max: maximumLifetimeMs,
    absolute: absoluteLifetimeMs,
    retention: retentionMs,
    revivesIdle,
    onUse: slidesOnUse,
    onTouch: slidesOnTouch,
  }
}
