export { isCaller, SHARED_CALLER } from '../formats/grammar.js'
export { secretKey } from '../secret-key.js'
export { variablePart } from '../variables.js'
export type { ResolvedNewSecret, RotationPlan } from './changes.js'
export {
  assertMoment,
  grantChange,
  planRotation,
  recordForgotten,
  recordShared,
  reportChange,
  resolveNewSecret,
  rotationConflict,
  versionExists,
} from './changes.js'
export { hasEnded, isActive, MAX_TRIED_VERSIONS } from './find-keys.js'
export type { MemorySecretStore } from './memory.js'
export type { HmacSecretStore, HmacSecretVersion, NewHmacSecret, RotatedSecret, RotateOptions } from './port.js'
