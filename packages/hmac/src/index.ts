export type { Principal } from '@countersign/core'
export { principalOf } from '@countersign/core'
export { BodyConsumedError } from './body/body-consumed-error.js'
export { sendSigned } from './clients/send-signed.js'
export type { SignedFetchOptions } from './clients/signed-fetch.js'
export { createSignedFetch } from './clients/signed-fetch.js'
export type { SigningClientOptions } from './clients/signer.js'
export type { SigningInterceptorOptions } from './clients/signing-interceptor.js'
export { createSigningInterceptor } from './clients/signing-interceptor.js'
export type {
  DeclaredDigest,
  SignableRequest,
  SignatureClaim,
  SignatureFormat,
  SigningInput,
  UnreadableClaim,
} from './formats/format.js'
export type { Rfc9421Options } from './formats/rfc9421.js'
export { rfc9421 } from './formats/rfc9421.js'
export type { XHeadersOptions } from './formats/x-headers.js'
export { xHeaders } from './formats/x-headers.js'
export type { Enforce, EnforceSetting, LegacyOptions, LegacyUsage } from './legacy.js'
export type { RequireHmacOptions } from './options.js'
export type { HmacOptionsFromEnvOptions } from './options-from-env.js'
export { hmacOptionsFromEnv } from './options-from-env.js'
export type { HmacFormat, HmacPrincipal } from './principal.js'
export type { HmacDependency, HmacReason } from './reasons.js'
export type { HmacGate } from './require-hmac.js'
export { requireHmac } from './require-hmac.js'
export type { SignOptions } from './sign.js'
export { sign } from './sign.js'
export type { SecretsFromEnvOptions } from './stores/environment.js'
export { secretsFromEnv } from './stores/environment.js'
export type { MemorySecretsOptions } from './stores/memory.js'
export { memorySecrets } from './stores/memory.js'
export type { HmacSecretStore, HmacSecretVersion, NewHmacSecret, RotatedSecret, RotateOptions } from './stores/store.js'
