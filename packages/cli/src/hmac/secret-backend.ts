import type { HmacSecretVersion, RotatedSecret } from '@countersign/hmac/store'

/** Where the secrets are kept, as the commands see it. */
export interface SecretBackend {
  readonly kind: 'postgres' | 'environment'
  list(caller?: string): Promise<readonly HmacSecretVersion[]>
  add(caller: string, version: number, secret: string): Promise<void>
  rotate(caller: string, settings: RotateSettings): Promise<RotatedSecret>
  /** False when there is no such version. */
  revoke(caller: string, version: number): Promise<boolean>
  close(): Promise<void>
}

/** How a secret is rotated. */
export interface RotateSettings {
  readonly secret: string | undefined
  /** Undefined: the store's default, 24 h. */
  readonly graceSeconds: number | undefined
  readonly pending: boolean
}
