export type { HangingRedis } from '../../packages/testing/src/hanging-redis.js'
export { hangingRedis } from '../../packages/testing/src/hanging-redis.js'
