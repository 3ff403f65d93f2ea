/** It brings no types; what the benchmark calls is the same in Express 5. */
declare module 'express-4' {
  export { default } from 'express'
}
