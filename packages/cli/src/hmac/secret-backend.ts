import type { HmacSecretVersion, RotatedSecret } from '@countersign/hmac/store'

/** Where the secrets are kept, as the commands see it. */
export interface SecretBackend {
  readonly kind: 'postgres' | 'environment'
  list(caller?: string): Promise<readonly HmacSecretVersion[]>
  add(caller: string, version: number, secret: string, settings?: { readonly acceptsShared: boolean }): Promise<void>
  rotate(caller: string, settings: RotateSettings): Promise<RotatedSecret>
  /** False when there is no such version. */
  revoke(caller: string, version: number): Promise<boolean>
  /** Says whether the shared secret counts for a caller that has its own. */
  acceptShared(caller: string, isAccepted: boolean): Promise<boolean>
  /** Deletes a version, or all of a caller; returns which. */
  forget(caller: string, version?: number): Promise<readonly number[]>
  close(): Promise<void>
}

/** How a secret is rotated. */
export interface RotateSettings {
  readonly secret: string | undefined
  /** Undefined: the store's default, 24 h. */
  readonly graceSeconds: number | undefined
  readonly pending: boolean
}
