import { UnavailableError } from '@countersign/core'
import { andThen, isBug, isPromise, settle, withDeadline } from '@countersign/core/gate-kit'
import type {
  CredentialLife,
  CredentialRecord,
  FoundCredential,
  MaybePromise,
  McpCredentialStore,
  Standing,
  WrongSecret,
} from '../store/port.js'

/** What a token stands for. A credential is named only when its secret was proven. */
export type Resolution =
  | {
      readonly standing: Standing
      readonly credential: CredentialRecord
      /** Of one that is expired or idle: for how many milliseconds. */
      readonly lateMs?: number | undefined
    }
  | { readonly standing: 'malformed' | 'unknown'; readonly credential?: undefined }
  | { readonly standing: 'wrong_secret'; readonly credential?: undefined; readonly credentialId: string }

/** Whether the host still wants the session that a credential was issued for. */
export type IsAlive = (scope: {
  readonly credentialId: string
  readonly threadId: string
  readonly providerInstanceId: string
  readonly providerSessionId: string | undefined
}) => boolean | PromiseLike<boolean>

/** What {@link createResolver} needs. */
export interface ResolverParts {
  readonly store: McpCredentialStore
  readonly life: CredentialLife
  readonly isAlive: IsAlive | undefined
  readonly livenessTimeoutMs: number
  /** An idle credential slid, because its thread is alive. */
  readonly onRevived: (credentialId: string) => void
}

/** Looks credentials up. Both methods answer without a promise where store and `isAlive` do. */
export interface Resolver {
  /** Proves a secret by its digest, and slides a live credential. */
  resolve(id: string, digest: Buffer): MaybePromise<Resolution>
  /** Without a secret, and without sliding: for a stream whose credential was proven when it was opened. */
  check(id: string): MaybePromise<Resolution>
}

const UNKNOWN: Resolution = Object.freeze({ standing: 'unknown' })

/** Makes the lookups of a registry. */
export function createResolver({ store, life, isAlive, livenessTimeoutMs, onRevived }: ResolverParts): Resolver {
  function resolve(id: string, digest: Buffer): MaybePromise<Resolution> {
    const revive = () =>
      andThen(store.revive(id, digest, life), (found) => {
        const resolution = resolutionOf(id, found)
        if (resolution.standing === 'live') onRevived(resolution.credential.credentialId)
        return resolution
      })
    return andThen(store.resolve(id, digest, life), (found) => askWhenIdle(resolutionOf(id, found), revive))
  }

  function check(id: string): MaybePromise<Resolution> {
    return andThen(store.peek(id, life), (found) => {
      const resolution = resolutionOf(id, found && { ...found, isProven: true })
      return askWhenIdle(resolution, () => ({ ...resolution, standing: 'live' }) as Resolution)
    })
  }

  /** An idle holder is refused only when the host does not say that it is alive. */
  function askWhenIdle(resolution: Resolution, revive: () => MaybePromise<Resolution>): MaybePromise<Resolution> {
    if (resolution.standing !== 'idle' || isAlive === undefined) return resolution
    const { credentialId, threadId, providerInstanceId, providerSessionId } = resolution.credential
    const scope = Object.freeze({ credentialId, threadId, providerInstanceId, providerSessionId })
    return settle<unknown, Resolution>(
      () => {
        const alive = isAlive(scope)
        return isPromise(alive) ? withDeadline(alive, livenessTimeoutMs, 'liveness') : alive
      },
      (alive) => (alive === true ? revive() : resolution),
      (error) => {
        throw isBug(error) ? error : new UnavailableError('liveness', 'isAlive failed', { cause: error })
      },
    )
  }

  return { resolve, check }
}

function resolutionOf(id: string, found: FoundCredential | WrongSecret | undefined): Resolution {
  if (found === undefined) return UNKNOWN
  if (!found.isProven) return { standing: 'wrong_secret', credentialId: id }
  const { standing, credential, lateMs } = found
  return lateMs === undefined ? { standing, credential } : { standing, credential, lateMs }
}
