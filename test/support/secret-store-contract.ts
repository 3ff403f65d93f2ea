export type { MakeSecretStore } from '../../packages/testing/src/contracts/secret-store.js'
export { secretStoreContract } from '../../packages/testing/src/contracts/secret-store.js'
