export type { Sent, Wire } from '../../../test/support/wire.js'
export { wire } from '../../../test/support/wire.js'
