/** What a Redis that evicts does to the stores, and what to do about it. */
export const EVICTS = {
  danger: 'under memory pressure Redis drops live credentials, sessions, identity bindings and replay claims',
  remedy: 'Set maxmemory-policy to noeviction: CONFIG SET maxmemory-policy noeviction, and in redis.conf.',
} as const
