import type { Section } from '../row.js'
import { audit } from './audit.js'
import { decisions, growth } from './decisions.js'
import { http } from './http.js'
import { memory } from './memory.js'
import { redis } from './redis.js'

/** In the order of the page. */
export const sections: readonly Section[] = [decisions, http, growth, memory, redis, audit]
