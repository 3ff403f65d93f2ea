import type { RedisScript } from '@countersign/redis/store'
import { COMMIT_MS, MAX_DATA_SESSIONS, ONE_SIDED_MS, RELEASE_MS } from '../rules.js'
import { defineSettingsChange as change, defineSettingsScript, MUST_BE_MASTER } from './library.js'

// A user's side (`u`) lies with the user: id identity, a the reservation that it stands on, b the attempt that bound it,
// n when nobody has said that this is recorded, z when the user does not return by a sign-in alone. It is what counts. The identity's side (`r`) lies elsewhere: p user key, w the user's partition, at when it was last reserved, and one field `a:…` for
// each attempt that stands on it, so that one attempt's undoing leaves the entry to another.

/**
 * KEYS: session. ARGV: prefix, hash, id, new hash, identity, attempt, reserved at (nothing: verify only).
 */
export const claimScript: RedisScript = change(
  'claim',
  1,
  `local row = load(KEYS[1])
local lacking = row and (lacks('u:' .. row.p) or lacksAround(row) or row.st ~= 'active' and lacksIndexed(row.p))
if lacking then return lacking end
local reason = refusal(row, ARGV[2])
if reason then return refused(reason, row) end
if row.qa == 'taken' or row.qa == 'released' and row.q ~= ARGV[5] then return {'revoked'} end
local key = declared['u:' .. row.p]
local bound = load(key)
local first = bound and not bound.n and 0 or 1
if bound and bound.id ~= ARGV[5] then
  finish(ARGV[3], row)
  spendLink(row)
  return keep({'mismatch', view(ARGV[3], row)})
end
if not bound then
  if ARGV[7] == '' then return {'unbound', view(ARGV[3], row)} end
  if now > ARGV[7] + ${COMMIT_MS} then return {'contended'} end
  redis.call('HSET', key, 'id', ARGV[5], 'a', ARGV[6], 'b', ARGV[4], 'n', 1)
end
redis.call('HDEL', key, 'z')
local wasActive = row.st == 'active'
-- Of a repeat nobody has proved more.
local verified = row.h == ARGV[4] and row.v or now
redis.call('HSET', KEYS[1], 'h', ARGV[4], 'st', 'active', 'v', verified, 't', now, 'id', ARGV[5])
redis.call('HDEL', KEYS[1], 'q', 'qk', 'qa', 'qf', 'qn', 'pk')
spendLink(row)
row = load(KEYS[1])
if not wasActive then enter(ARGV[3], row) end
return keep({'activated', view(ARGV[3], row), first, ended})`,
)

/**
 * KEYS: session. ARGV: prefix, hash, id, new hash, identity, key of the other user whose it is, 1 when the app allowed the claim.
 * The session stays for its release alone.
 */
export const takenScript: RedisScript = change(
  'taken',
  1,
  `local row = load(KEYS[1])
local lacking = row and lacksAround(row)
if lacking then return lacking end
local reason = refusal(row, ARGV[2])
if reason then return refused(reason, row) end
spendLink(row)
if row.st == 'active' then
  finish(ARGV[3], row)
  return keep({'mismatch', view(ARGV[3], row)})
end
redis.call('HSET', KEYS[1], 'h', ARGV[4], 'v', now, 't', now, 'q', ARGV[5], 'qa', 'taken', 'qf', ARGV[6], 'qn', ARGV[7])
redis.call('HDEL', KEYS[1], 'pk')
return keep({'taken', view(ARGV[3], load(KEYS[1]))})`,
)

/** KEYS: session. ARGV: prefix, hash, id. From now on it may claim the identity that was another user's: it tells whose. */
export const releasedScript: RedisScript = change(
  'released',
  1,
  `local row = load(KEYS[1])
local lacking = row and lacks('e:' .. row.p)
if lacking then return lacking end
local reason = refusal(row, ARGV[2])
if reason then return refused(reason, row) end
if row.qa ~= 'taken' and row.qa ~= 'released' then return {'revoked'} end
redis.call('HSET', KEYS[1], 'qa', 'released')
redis.call('HDEL', KEYS[1], 'pk')
return keep({'found', view(ARGV[3], load(KEYS[1])), row.qf or ''})`,
)

/**
 * KEYS: user's side, epoch, index, release (`a` and `b` as they were). ARGV: prefix, the identity that must be bound, or nothing to
 * learn of a release alone. The release is kept while its session may repeat it.
 */
export const evictScript: RedisScript = change(
  'evict',
  4,
  `${MUST_BE_MASTER}local old = load(KEYS[1])
if old and old.id == ARGV[2] then
  redis.call('HSET', KEYS[4], 'a', old.a, 'b', old.b)
  redis.call('PEXPIRE', KEYS[4], ${RELEASE_MS})
  redis.call('DEL', KEYS[1], KEYS[2], KEYS[3])
  return keep({old.a, old.b})
end
local before = load(KEYS[4])
return before and {before.a, before.b}`,
)

/** KEYS: user's side, release. ARGV: prefix, identity, attempt, reservation, reserved at. Binds whom nothing is bound to. */
export const restoreScript: RedisScript = change(
  'restore',
  2,
  `${MUST_BE_MASTER}if redis.call('EXISTS', KEYS[1]) == 1 or now > ARGV[5] + ${COMMIT_MS} then return 0 end
redis.call('HSET', KEYS[1], 'id', ARGV[2], 'a', ARGV[4], 'b', ARGV[3], 'n', 1, 'z', 1)
redis.call('DEL', KEYS[2])
return keep(1)`,
)

/** KEYS: identity's side. ARGV: prefix, user key, partition, attempt, and what was seen there before: user key, at. */
export const reserveScript: RedisScript = change(
  'reserve',
  1,
  `local row = load(KEYS[1])
if row and row.p ~= ARGV[2] then
  local seen = row.p == ARGV[5] and row.at == ARGV[6]
  if not seen then return {'other', row.p, row.w, row.at} end
  if now < row.at + ${ONE_SIDED_MS} then return {'contended'} end
end
redis.call('HSET', KEYS[1], 'p', ARGV[2], 'w', ARGV[3], 'at', now, 'a:' .. ARGV[4], 1)
if row and row.p ~= ARGV[2] then
  for name in pairs(row) do
    if string.sub(name, 1, 2) == 'a:' then redis.call('HDEL', KEYS[1], name) end
  end
end
return keep({'reserved', tostring(now)})`,
)

/** KEYS: identity's side. ARGV: prefix, user key, attempt. */
export const releaseScript: RedisScript = change(
  'release',
  1,
  `${MUST_BE_MASTER}local row = load(KEYS[1])
if not row or row.p ~= ARGV[2] then return end
redis.call('HDEL', KEYS[1], 'a:' .. ARGV[3])
for name in pairs(row) do
  if string.sub(name, 1, 2) == 'a:' and name ~= 'a:' .. ARGV[3] then return keep() end
end
redis.call('DEL', KEYS[1])
return keep()`,
)

/** KEYS: user's side. ARGV: prefix. */
export const identityScript: RedisScript = defineSettingsScript(
  'identity',
  1,
  `${MUST_BE_MASTER}return redis.call('HGET', KEYS[1], 'id')`,
)

/**
 * KEYS: user's side, epoch, index. ARGV: prefix, identity, attempt, reservation, reserved at, the attempt that must have
 * bound what stands (nothing: any).
 */
export const rebindScript: RedisScript = change(
  'rebind',
  3,
  `local old = load(KEYS[1])
if now > ARGV[5] + ${COMMIT_MS} or ARGV[6] ~= '' and not (old and old.b == ARGV[6]) then return {'contended'} end
redis.call('HSET', KEYS[1], 'id', ARGV[2], 'a', ARGV[4], 'b', ARGV[3], 'n', 1)
redis.call('HDEL', KEYS[1], 'z')
redis.call('DEL', KEYS[2], KEYS[3])
return keep({'bound', unpack(old and {old.id, old.a, old.b} or {})})`,
)

/** KEYS: user's side, epoch, index. ARGV: prefix, the attempt that must have bound what stands (nothing: any). */
export const unlinkScript: RedisScript = change(
  'unlink',
  3,
  `${MUST_BE_MASTER}local old = load(KEYS[1])
if not old or ARGV[2] ~= '' and old.b ~= ARGV[2] then return nil end
redis.call('DEL', KEYS[1], KEYS[2], KEYS[3])
return keep({old.id, old.a})`,
)

/** KEYS: user's side. ARGV: prefix, identity, attempt. */
export const confirmBindingScript: RedisScript = change(
  'confirm_binding',
  1,
  `${MUST_BE_MASTER}if redis.call('HGET', KEYS[1], 'id') ~= ARGV[2] then return nil end
redis.call('HDEL', KEYS[1], 'n')
redis.call('HSET', KEYS[1], 'b', ARGV[3])
return keep()`,
)

/** KEYS: session. ARGV: prefix, hash, id, identity, its key. */
export const holdClaimScript: RedisScript = change(
  'hold_claim',
  1,
  `local row = load(KEYS[1])
local lacking = row and lacks('e:' .. row.p)
if lacking then return lacking end
local reason = refusal(row, ARGV[2])
if reason then return refused(reason, row) end
if row.qa == 'taken' or row.qa == 'released' then return {'revoked'} end
redis.call('HSET', KEYS[1], 'q', ARGV[4], 'qk', ARGV[5], 'qa', 'pending')
redis.call('HDEL', KEYS[1], 'pk')
return keep({'found', view(ARGV[3], load(KEYS[1]))})`,
)

/** KEYS: session. ARGV: prefix, key of the identity, answer. */
export const answerClaimScript: RedisScript = change(
  'answer_claim',
  1,
  `local row = load(KEYS[1])
local lacking = row and lacks('e:' .. row.p)
if lacking then return lacking end
if not row or refusal(row, row.h) or row.qa ~= 'pending' or row.qk ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], 'qa', ARGV[3])
redis.call('HDEL', KEYS[1], 'pk')
return keep(1)`,
)

/** KEYS: sign-in. ARGV: prefix, hash, session id, session hash, return to, ttl, whether it is a repetition. */
export const beginOAuthScript: RedisScript = change(
  'begin_oauth',
  1,
  `redis.call('HSET', KEYS[1], 'h', ARGV[2], 's', ARGV[3], 'sh', ARGV[4], 'r', ARGV[5], 'g', ARGV[7])
redis.call('PEXPIRE', KEYS[1], ARGV[6])
return keep()`,
)

/** KEYS: sign-in. ARGV: prefix, hash. */
export const takeOAuthScript: RedisScript = change(
  'take_oauth',
  1,
  `${MUST_BE_MASTER}local row = load(KEYS[1])
if not row or row.h ~= ARGV[2] then return nil end
redis.call('DEL', KEYS[1])
return keep({row.s, row.sh, row.r, row.g})`,
)

/**
 * KEYS: data (`d` the device, `n` the number of its session). ARGV: prefix, device, ttl, the number of a session that has ended
 * or nothing. What is refused stays so, on a replica too.
 */
export const useInitDataScript: RedisScript = change(
  'use_init_data',
  1,
  `local uses = load(KEYS[1])
if not uses then
  redis.call('HSET', KEYS[1], 'd', ARGV[2], 'n', 0)
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
  return keep(0)
end
if uses.d ~= ARGV[2] or tonumber(uses.n) >= ${MAX_DATA_SESSIONS} then return 'replayed' end
if uses.n ~= ARGV[4] then
  ${MUST_BE_MASTER}return tonumber(uses.n)
end
local session = redis.call('HINCRBY', KEYS[1], 'n', 1)
return keep(session < ${MAX_DATA_SESSIONS} and session or 'replayed')`,
)
