import { isPromise, withDeadline } from '@countersign/core/gate-kit'
import type {
  CredentialLife,
  CredentialRecord,
  FoundCredential,
  MaybePromise,
  McpCredentialStore,
  Standing,
} from './stores/store.js'

/** What a token stands for. A credential is named only when its secret was proven. */
export type Resolution =
  | {
      readonly standing: Standing
      readonly credential: CredentialRecord
      /** The id that the token itself carries: another one than the credential's when it is an alias. */
      readonly tokenId: string
    }
  | { readonly standing: 'malformed' | 'unknown'; readonly credential?: undefined }
  | { readonly standing: 'wrong_secret'; readonly credential?: undefined; readonly credentialId: string }

/** Whether the host still wants what a credential stands for. */
export type IsAlive = (scope: {
  readonly credentialId: string
  readonly threadId: string
  readonly providerInstanceId: string
  readonly providerSessionId: string | undefined
}) => boolean | PromiseLike<boolean>

/** What `resolve` throws or rejects with when `isAlive` throws, rejects or takes too long. */
export class LivenessError extends Error {
  readonly code = 'ERR_COUNTERSIGN_UNAVAILABLE'
  override readonly name = 'LivenessError'
}

export interface ResolverParts {
  readonly store: McpCredentialStore
  readonly life: CredentialLife
  readonly isAlive: IsAlive | undefined
  readonly livenessTimeoutMs: number
}

const UNKNOWN: Resolution = Object.freeze({ standing: 'unknown' })

/** Makes the way from an id and a digest to a resolution; without a promise where the store makes none. */
export function createResolver({ store, life, isAlive, livenessTimeoutMs }: ResolverParts) {
  function resolve(id: string, digest: Buffer): MaybePromise<Resolution> {
    const revive = () => then(store.revive(id, digest, life), (found) => conclude(id, found))
    return then(store.resolve(id, digest, life), (found) => orAsk(conclude(id, found), revive))
  }

  /** Without a secret: for a stream that was proven when it was opened. */
  function check(id: string): MaybePromise<Resolution> {
    const asProven = (found: FoundCredential | undefined) => conclude(id, found && { ...found, isProven: true })
    return then(store.peek(id, life), (found) => {
      const resolution = asProven(found)
      return orAsk(resolution, () => ({ ...resolution, standing: 'live' }) as Resolution)
    })
  }

  /** An idle holder is refused only when the host does not say that it is alive. */
  function orAsk(resolution: Resolution, revive: () => MaybePromise<Resolution>): MaybePromise<Resolution> {
    if (resolution.standing !== 'idle' || isAlive === undefined) return resolution
    const { credentialId, threadId, providerInstanceId, providerSessionId } = resolution.credential
    const scope = Object.freeze({ credentialId, threadId, providerInstanceId, providerSessionId })
    const next = (alive: unknown) => (alive === true ? revive() : resolution)
    let answer: boolean | PromiseLike<boolean>
    try {
      answer = isAlive(scope)
    } catch (cause) {
      throw new LivenessError('isAlive threw', { cause })
    }
    if (!isPromise(answer)) return next(answer)
    return withDeadline(answer, livenessTimeoutMs, 'isAlive')
      .catch((cause: unknown) => {
        throw new LivenessError('isAlive did not answer', { cause })
      })
      .then(next)
  }

  return { resolve, check }
}

function conclude(id: string, found: FoundCredential | undefined): Resolution {
  if (found === undefined) return UNKNOWN
  if (!found.isProven) return { standing: 'wrong_secret', credentialId: id }
  return { standing: found.standing, credential: found.credential, tokenId: id }
}

/** Goes on without a promise where there is none. */
function then<T, R>(value: MaybePromise<T>, next: (value: T) => MaybePromise<R>): MaybePromise<R> {
  return isPromise(value) ? (value as Promise<T>).then(next) : next(value as T)
}
