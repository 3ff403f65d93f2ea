export type { DpopKey, DpopProofOptions } from '../../packages/testing/src/dpop-proof.js'
export { dpopKey, dpopProof } from '../../packages/testing/src/dpop-proof.js'
