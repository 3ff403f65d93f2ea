export { wire } from '../../../test/support/wire.js'
