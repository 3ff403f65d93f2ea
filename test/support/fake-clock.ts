export type { FakeClock } from '../../packages/testing/src/fake-clock.js'
export { fakeClock } from '../../packages/testing/src/fake-clock.js'
