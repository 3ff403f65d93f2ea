export type { ExitCode } from './exit-codes.js'
export { exitCodes } from './exit-codes.js'
