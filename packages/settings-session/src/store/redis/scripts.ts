import type { RedisScript } from '@countersign/redis/store'
import { MAX_WRONG_CODES, REPEAT_MS, TOMBSTONE_MS } from '../rules.js'
import { defineSettingsChange, defineSettingsScript, MUST_BE_MASTER } from './library.js'
import { PACK } from './read-plain.js'

/** KEYS: link, epoch. ARGV: prefix, hash, user key, epoch, epoch ttl, content, ttl, code hash. */
export const issueLinkScript: RedisScript = defineSettingsChange(
  'issue_link',
  2,
  `local expires = now + ARGV[7]
local epoch = epochOf(ARGV[3], ARGV[4], ARGV[5])
redis.call('HSET', KEYS[1], 'h', ARGV[2], 'p', ARGV[3], 'e', epoch, 'd', ARGV[6], 'x', expires, 'n', 0)
if ARGV[8] ~= '' then redis.call('HSET', KEYS[1], 'k', ARGV[8]) end
redis.call('PEXPIRE', KEYS[1], ARGV[7] + ${TOMBSTONE_MS})
return keep(tostring(expires))`,
)

/** KEYS: link. ARGV: prefix, hash. */
export const peekLinkScript: RedisScript = defineSettingsScript(
  'peek_link',
  1,
  `${MUST_BE_MASTER}local link = load(KEYS[1])
local lacking = link and lacks('e:' .. link.p)
if lacking then return lacking end
local reason = linkRefusal(link)
if reason then return refused(reason, link) end
return {'open', link.d, link.x, link.k and 1 or 0}`,
)

/**
 * KEYS: link, session. ARGV: prefix, link hash, link tag, session hash, session tag, attempt, state, idle ms, absolute
 * ms, most sessions, code hash.
 */
export const exchangeScript: RedisScript = defineSettingsChange(
  'exchange',
  2,
  `local link = load(KEYS[1])
local id = ARGV[5]
local lacking = link and (lacks('e:' .. link.p, 'x:' .. link.p, link.s and 's:' .. link.s)
  or ARGV[7] == 'active' and lacksIndexed(link.p))
if lacking then return lacking end
if link and link.h == ARGV[2] and link.at == ARGV[6] and (not link.o or now < link.o + ${REPEAT_MS}) then
  local first = load(KEYS[2])
  if not refusal(first, ARGV[4]) then return {'opened', view(id, first), 1, ended} end
end
local reason = linkRefusal(link)
if reason then return refused(reason, link) end
if link.k and link.k ~= ARGV[11] then
  if redis.call('HINCRBY', KEYS[1], 'n', 1) < ${MAX_WRONG_CODES} then return keep({'wrong_code'}) end
  redis.call('HSET', KEYS[1], 'o', now)
  return keep({'spent', 'voided'})
end
redis.call('HSET', KEYS[1], 's', id, 'at', ARGV[6])
if ARGV[7] == 'active' then redis.call('HSET', KEYS[1], 'o', now) end
local row = {
  h = ARGV[4], p = link.p, e = epochOf(link.p, link.e, ARGV[9]), st = ARGV[7], c = now, x = now + ARGV[9], t = now,
  i = ARGV[8], v = now, d = link.d, l = ARGV[3], m = ARGV[10],
}
create(id, row)
if link.s and link.s ~= id then
  -- It opened nothing: nobody has to be told why it is gone.
  local holder = load(declared['s:' .. link.s])
  if holder and holder.st ~= 'ended' then
    redis.call('DEL', declared['s:' .. link.s])
    ended[#ended + 1] = link.s
    ended[#ended + 1] = 'link_opened_again'
  end
end
return keep({'opened', view(id, row), 0, ended})`,
)

/** KEYS: session, epoch, index. ARGV: prefix, hash, id, user key, epoch, content, state, idle ms, absolute ms, most sessions. */
export const openSessionScript: RedisScript = defineSettingsChange(
  'open_session',
  3,
  `${MUST_BE_MASTER}local known = load(KEYS[1])
local lacking = known and lacks('e:' .. known.p) or ARGV[7] == 'active' and lacksIndexed(ARGV[4])
if lacking then return lacking end
if known then
  local reason = refusal(known, ARGV[2])
  if reason then return refused(reason, known) end
  return {'found', view(ARGV[3], known), ended, 1}
end
local row = {
  h = ARGV[2], p = ARGV[4], e = epochOf(ARGV[4], ARGV[5], ARGV[9]), st = ARGV[7], c = now, x = now + ARGV[9], t = now,
  i = ARGV[8], v = now, d = ARGV[6], m = ARGV[10],
}
create(ARGV[3], row)
return keep({'found', view(ARGV[3], row), ended, 0})`,
)

/** KEYS: session. ARGV: prefix, hash, id. */
export const readScript: RedisScript = defineSettingsScript(
  'read',
  1,
  `${MUST_BE_MASTER}${PACK}local row = load(KEYS[1])
local lacking = row and lacks('e:' .. row.p)
if lacking then return lacking end
local reason = refusal(row, ARGV[2])
if reason then return refused(reason, row) end
if not row.pk and row.st == 'active' and not row.q and not row.qa then redis.call('HSET', KEYS[1], 'pk', pack(row)) end
if now > tonumber(row.t) then
  redis.call('HSET', KEYS[1], 't', now)
  row.t = tostring(now)
end
return {'found', view(ARGV[3], row)}`,
)

/** KEYS: session. ARGV: prefix, hash or nothing, id, 1 when the link is freed. */
export const revokeScript: RedisScript = defineSettingsChange(
  'revoke',
  1,
  `${MUST_BE_MASTER}local row = load(KEYS[1])
if not row then return nil end
local lacking = lacksAround(row)
if lacking then return lacking end
if refusal(row, ARGV[2] == '' and row.h or ARGV[2]) then return nil end
finish(ARGV[3], row)
if ARGV[4] == '1' then freeLink(ARGV[3], row) else spendLink(row) end
return keep(view(ARGV[3], row))`,
)

/** KEYS: epoch, index, user's side. ARGV: prefix. */
export const revokeAllScript: RedisScript = defineSettingsChange(
  'revoke_all',
  3,
  `redis.call('DEL', KEYS[1], KEYS[2])
if redis.call('EXISTS', KEYS[3]) == 1 then redis.call('HSET', KEYS[3], 'z', 1) end
return keep()`,
)

/** KEYS: index, epoch. ARGV: prefix, user key. */
export const listScript: RedisScript = defineSettingsScript(
  'list',
  2,
  `redis.call('ZREM', KEYS[1], '')
local lacking = lacksIndexed(ARGV[2])
if lacking then return lacking end
local list = {}
for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  local row = load(declared['s:' .. id])
  if row and not refusal(row, row.h) then list[#list + 1] = view(id, row) end
end
return list`,
)

/** KEYS: count. ARGV: prefix, most, window ms. What is not counted changes nothing. */
export const countAttemptScript: RedisScript = defineSettingsChange(
  'count_attempt',
  1,
  `local count = tonumber(redis.call('GET', KEYS[1]) or 0)
if count >= tonumber(ARGV[2]) then return redis.call('PTTL', KEYS[1]) end
redis.call('INCR', KEYS[1])
if count == 0 then redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
return keep(0)`,
)

/** KEYS: link. ARGV: prefix, hash. */
export const voidLinkScript: RedisScript = defineSettingsChange(
  'void_link',
  1,
  `local link = load(KEYS[1])
local lacking = link and lacks('e:' .. link.p, link.s and 's:' .. link.s)
if lacking then return lacking end
if linkRefusal(link) then return 0 end
redis.call('HSET', KEYS[1], 'o', now)
local holder = link.s and declared['s:' .. link.s]
if holder and redis.call('HGET', holder, 'st') == 'awaiting_identity' then redis.call('DEL', holder) end
return keep(1)`,
)
