export type { ContractRequest } from '../../packages/testing/src/contracts/gate.js'
export { gateContract } from '../../packages/testing/src/contracts/gate.js'
