export type { TestIssuer, TokenShape } from '../../packages/testing/src/index.js'
export { testIssuer } from '../../packages/testing/src/test-issuer.js'
