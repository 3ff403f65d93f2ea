import type { KeyObject } from 'node:crypto'

/** One version of a caller's secret. Times are milliseconds since the epoch. */
export interface HmacSecretVersion {
  readonly caller: string
  readonly version: number
  /** Undefined when the stored row does not open. */
  readonly key: KeyObject | undefined
  /** Valid from then on. */
  readonly notBefore: number
  readonly createdAt: number
  /** Valid until then, exclusive. */
  readonly expiresAt: number | undefined
  readonly revokedAt: number | undefined
  /** Known to verifiers, not yet to be signed with. */
  readonly isPending: boolean
  /**
   * The secret `*shared*` counts for this caller, too, while one version of the caller's own has not ended. Of any version
   * of the caller, it holds for all.
   */
  readonly acceptsShared?: boolean | undefined
}

/** A version to be stored. Times are milliseconds since the epoch. */
export interface NewHmacSecret {
  readonly caller: string
  readonly version: number
  /** At least 32 bytes; a text stands for its UTF-8 bytes. */
  readonly secret: string | Uint8Array
  /** Default: now. */
  readonly notBefore?: number | undefined
  /** Exclusive. Default: never. */
  readonly expiresAt?: number | undefined
  readonly isPending?: boolean | undefined
  /**
   * Keeps accepting the secret `*shared*` for this caller, until `acceptShared(caller, false)`. Without it a caller's first
   * version ends the shared secret for that caller immediately.
   */
  readonly acceptsShared?: boolean | undefined
}

/** Options of a rotation. */
export interface RotateOptions {
  /** Default: 48 random bytes in base64. */
  readonly secret?: string | Uint8Array | undefined
  /** Seconds that the previous versions stay valid. Default 86 400. */
  readonly graceSeconds?: number | undefined
  /** Announces the version to verifiers alone: the previous versions stay valid until the same rotation without `pending`. */
  readonly pending?: boolean | undefined
}

/** What a rotation made. */
export interface RotatedSecret {
  readonly caller: string
  readonly version: number
  /** The new secret, to be handed to the signer; undefined when a pending version was activated. */
  readonly secret: string | undefined
  /**
   * Present when the store did not say whether the previous versions were given their end: it is asked until it does. The
   * new version can be used all the same, and the previous ones until then.
   */
  readonly previous?: 'pending' | undefined
}

type MaybePromise<T> = T | Promise<T>

/**
 * Where secrets are kept. Reads throw or reject when the store cannot answer. An adapter that answers without a promise
 * is asked for each request; the answers of every other one are cached.
 */
export interface HmacSecretStore {
  /** Seconds that what was read may be kept. Default and most 30. */
  readonly cacheSeconds?: number | undefined
  /** Whether a caller has secrets here; only a store that can tell without asking anyone has this. */
  knows?(caller: string): boolean
  /** Every version of a caller, the expired and revoked included; newest first. {@link isActive} says which verify. */
  versions(caller: string): MaybePromise<readonly HmacSecretVersion[]>
  /**
   * Stores a version; rejects with code `ERR_COUNTERSIGN_HMAC_VERSION_EXISTS` when there is one, and with an
   * `UnavailableError` (`audit_sink`) when a required sink did not record it: then it is revoked.
   */
  insert(secret: NewHmacSecret): MaybePromise<void>
  /**
   * Lets a version expire at a moment, in ms since the epoch; one that ends sooner keeps its end. False when there is no
   * such version.
   */
  retire(caller: string, version: number, expiresAt: number): MaybePromise<boolean>
  /** Revokes a version immediately. False when there is no such version. */
  revoke(caller: string, version: number): MaybePromise<boolean>
  /**
   * Stores the next version and, once that is recorded, lets the previous ones expire after the grace. Rejects with an
   * `UnavailableError` (`audit_sink`) when a required sink did not record it: then the previous ones are as before.
   */
  rotate(caller: string, options?: RotateOptions): MaybePromise<RotatedSecret>
  /**
   * Says whether the secret `*shared*` counts for a caller that has versions of its own. False when it has none. Rejects with
   * an `UnavailableError` (`audit_sink`) when a required sink did not record that it does: then it does not, unless it did
   * before.
   */
  acceptShared(caller: string, isAccepted: boolean): MaybePromise<boolean>
  /**
   * Deletes a version, or all of a caller, that was stored by mistake; returns which. Of a caller without any, the secret
   * `*shared*` counts again. Another process knows a deleted version until its cache ends. Rejects with an
   * `UnavailableError` (`audit_sink`) when a required sink did not record it: then the versions are there again.
   */
  forget(caller: string, version?: number): MaybePromise<readonly number[]>
  /** All versions, by caller and newest first. */
  list(caller?: string): MaybePromise<readonly HmacSecretVersion[]>
}
