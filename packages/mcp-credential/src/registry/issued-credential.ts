import { inspect } from 'node:util'
import type { CredentialRecord, Replaced } from '../store/port.js'
import type { RevokeOptions } from './revoke-options.js'

/**
 * A credential that was just issued. The only object that knows the token: printing, serialising, spreading or cloning it
 * shows everything else.
 */
export class IssuedCredential implements CredentialRecord {
  readonly credentialId: string
  readonly threadId: string
  readonly providerInstanceId: string
  readonly providerSessionId: string | undefined
  readonly capabilities: readonly string[]
  readonly issuedAt: number
  readonly expiresAt: number
  readonly idleAt: number
  /**
   * Whether it is known what became of the thread's other credentials. `pending`: Redis did not say in time; it is asked
   * until it does. This one can be used all the same, and the others until then.
   */
  readonly superseded: 'done' | 'pending'
  /** The ids that this one superseded, as far as they are known. */
  readonly supersededIds: readonly string[]
  /** The ids whose tokens are aliases of this one from now on. */
  readonly carried: readonly string[]
  readonly #token: string
  readonly #revoke: (options?: RevokeOptions) => Promise<boolean>

  constructor(
    record: CredentialRecord,
    existing: Replaced & { readonly pending?: unknown },
    token: string,
    revoke: (options?: RevokeOptions) => Promise<boolean>,
  ) {
    this.credentialId = record.credentialId
    this.threadId = record.threadId
    this.providerInstanceId = record.providerInstanceId
    this.providerSessionId = record.providerSessionId
    this.capabilities = record.capabilities
    this.issuedAt = record.issuedAt
    this.expiresAt = record.expiresAt
    this.idleAt = record.idleAt
    this.superseded = existing.pending === undefined ? 'done' : 'pending'
    this.supersededIds = existing.superseded
    this.carried = existing.carried
    this.#token = token
    this.#revoke = revoke
    Object.freeze(this)
  }

  /** The token itself. Hand it to the agent, once. */
  get token(): string {
    return this.#token
  }

  /** `Bearer <token>`: the value of the agent's `Authorization` header. */
  get authorizationHeader(): string {
    return `Bearer ${this.#token}`
  }

  /** Revokes this credential by its id: what was issued in its place since stays. */
  revoke(options?: RevokeOptions): Promise<boolean> {
    return this.#revoke(options)
  }

  toString(): string {
    return `IssuedCredential ${this.credentialId}`
  }

  toJSON(): CredentialRecord & { token: string } {
    return { ...this, token: '[redacted]' }
  }

  static {
    // Not a method: a declaration cannot name it without inference.
    Object.defineProperty(IssuedCredential.prototype, inspect.custom, {
      value(this: IssuedCredential): string {
        return `IssuedCredential ${inspect(this.toJSON())}`
      },
    })
  }
}
