export { resetAudit } from '@countersign/core/gate-kit'
export type { ContractCase } from './contracts/contract.js'
export { credentialStoreContract } from './contracts/credential-store.js'
export type {
  ContractOptions,
  ContractRequest,
  GateContractOptions,
  GateSubject,
  MakeContractRequest,
  RefusedRequest,
} from './contracts/gate.js'
export { gateContract } from './contracts/gate.js'
export { replayStoreContract } from './contracts/replay-store.js'
export type { MakeSecretStore } from './contracts/secret-store.js'
export { secretStoreContract } from './contracts/secret-store.js'
export { settingsStoreContract } from './contracts/settings-store.js'
export type { DpopKey, DpopProofOptions } from './dpop-proof.js'
export { dpopKey, dpopProof } from './dpop-proof.js'
export type { FakeClock } from './fake-clock.js'
export { fakeClock } from './fake-clock.js'
export type { HangingRedis } from './hanging-redis.js'
export { hangingRedis } from './hanging-redis.js'
export type { RecordedAudit } from './record-audit.js'
export { recordAudit } from './record-audit.js'
export type { SignedRequest, SignedRequestDefect, SignedRequestOptions } from './signed-request.js'
export { signedRequest } from './signed-request.js'
export type { IssuerKey, TestIssuer, TestIssuerOptions } from './test-issuer.js'
export { testIssuer } from './test-issuer.js'
export type { TokenParts, TokenShape } from './token-shapes.js'
