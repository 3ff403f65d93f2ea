export type { TestIssuer } from '../../packages/testing/src/test-issuer.js'
export { testIssuer } from '../../packages/testing/src/test-issuer.js'
export type { TokenShape } from '../../packages/testing/src/token-shapes.js'
