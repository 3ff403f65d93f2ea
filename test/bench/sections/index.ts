import type { Section } from '../row.js'
import { audit } from './audit.js'
import { decisions, growth } from './decisions.js'
import { file } from './file.js'
import { http } from './http.js'
import { memory } from './memory.js'
import { redis } from './redis.js'
import { shards } from './shards.js'

/** In the order of the page, and of measuring: what takes longest comes last. */
export const sections: readonly Section[] = [decisions, http, memory, redis, shards, audit, file, growth]
