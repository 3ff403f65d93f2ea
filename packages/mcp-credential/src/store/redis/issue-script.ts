import { defineScript, type RedisScript } from '@countersign/redis/store'
import { FENCE, KEEP, NUMBERS, RECORD, tell } from './lua.js'

/** A credential whose issuing was never acknowledged dies after so long. */
const PROBATION_MS = 60_000

// SETRANGE of nothing on a key that is not there changes nothing, but is refused when memory is full or the server is a
// replica: before anything was written.
const BODY = `redis.call('SETRANGE', KEYS[6], 0, '')
${NUMBERS}${RECORD}
local id, digest, threadId, providerId, sessionId, capabilities = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local thread, provider, epoch, ends = ARGV[7], ARGV[8], ARGV[9], ARGV[10] == '1'
local idleMs, coalesce, maxLife, absoluteMs, retention, most =
  tonumber(ARGV[11]), tonumber(ARGV[12]), tonumber(ARGV[13]), tonumber(ARGV[14]), tonumber(ARGV[15]), tonumber(ARGV[16])
local wanted, generation = ARGV[17], tonumber(ARGV[18])

if redis.call('EXISTS', KEYS[6]) == 1 then return {'retired'} end
local function issued(h) return {'issued', text(h.issued), text(h.expires), text(h.idle), h.epochs, text(h.generation)} end
local known = redis.call('HGET', KEYS[1], 'k')
if known then
  if known ~= digest then return {'taken'} end
  return issued(load(KEYS[1]))
end
if wanted ~= '' then
  local function valueOf(key) return redis.call('GET', key) or '' end
  local session = sessionId == '' and '' or valueOf(KEYS[4])
  local epochs = {redis.call('HGET', KEYS[2], 'e') or '', valueOf(KEYS[3]), session, valueOf(KEYS[5])}
  if table.concat(epochs, ' ') ~= wanted then return {'ended'} end
end
local due = redis.call('ZRANGEBYSCORE', KEYS[8], '-inf', '(' .. text(now), 'LIMIT', 0, 100)
if #due > 0 then
  redis.call('ZREM', KEYS[7], unpack(due))
  redis.call('ZREM', KEYS[8], unpack(due))
end
local last = tonumber(redis.call('HGET', KEYS[2], 'n:' .. provider) or 0)
local own = generation or last + 1
local count = redis.call('ZLEXCOUNT', KEYS[7], '[' .. thread, '[' .. thread .. '~')
if ends then
  local prefix = thread .. provider
  count = count - redis.call('ZLEXCOUNT', KEYS[7], '[' .. prefix, '[' .. prefix .. '~')
end
-- One that its holder has is written again whatever was issued since.
if wanted == '' and count >= most then return {'crowded'} end

local absolute = absoluteMs and now + absoluteMs or math.huge
local expires, idle = math.min(now + maxLife, absolute), now + idleMs + coalesce
local gone = math.min(expires, idle) + retention
local ttl = text(gone - now)
local function epochOf(key)
  local current = redis.call('GET', key)
  if current then redis.call('PEXPIRE', key, ttl, 'GT') return current end
  redis.call('SET', key, epoch, 'PX', ttl)
  return epoch
end
local function stretch(key)
  if redis.call('PTTL', key) == -1 then redis.call('PEXPIRE', key, ttl) else redis.call('PEXPIRE', key, ttl, 'GT') end
end
local threadEpoch = redis.call('HGET', KEYS[2], 'e')
if not threadEpoch then
  threadEpoch = epoch
  redis.call('HSET', KEYS[2], 'e', epoch, 'rf', text(now))
end
local providerEpoch, allEpoch = epochOf(KEYS[3]), epochOf(KEYS[5])
local sessionEpoch = sessionId == '' and '' or epochOf(KEYS[4])

redis.call('HSET', KEYS[2], 'n:' .. provider, text(math.max(last, own)))
local h = {
  issued = now, expires = expires, idle = idle, absolute = absoluteMs and absolute, generation = own,
  epochs = epochsOf(threadEpoch, providerEpoch, sessionEpoch, allEpoch),
  subject = table.concat({threadId, providerId, sessionId, capabilities}, '\\n'),
}
-- Nobody may hold it yet: until it is confirmed or used it dies soon, and is in no index.
redis.call('HSET', KEYS[1], 'k', digest, 'w', pack(h))
redis.call('PEXPIRE', KEYS[1], ${PROBATION_MS})
stretch(KEYS[2])
return issued(h)`

const CONFIRM = `${FENCE}${NUMBERS}${RECORD}${KEEP}
local id, thread, provider, onExisting, read = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local maxLife, retention, overlap, onTouch = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8]), ARGV[9] == '1'
local most, old, records = tonumber(ARGV[10]), 11, 8
local row = redis.call('HMGET', KEYS[1], 'k', 'r', 'z', 'zc')
if not row[1] then return {'gone'} end
local function list(words)
  local found = {}
  for word in string.gmatch(words or '', '%S+') do found[#found + 1] = word end
  return found
end
if row[3] then return {'done', list(row[3]), list(row[4])} end
if row[2] then return {'done', {}, {}} end
local standings, all = threadOf(KEYS[2], provider), redis.call('GET', KEYS[5])
local function judged(h, session)
  return judge(h, standings, redis.call('GET', KEYS[3]), redis.call('GET', session), all, maxLife, onTouch)
end
local new = load(KEYS[1])
local standing, expires, idle, _, usable = judged(new, KEYS[4])
-- Ended meanwhile, by whatever ends a credential: it replaces nothing.
if standing == 'revoked' or standing == 'superseded' then return {'done', {}, {}} end
local own, first = new.generation, tonumber(standings[5]) or 0
local last = tonumber(redis.call('HGET', KEYS[2], 'n:' .. provider)) or 0
local supersedes = onExisting == 'supersede' and own > first
local ends = supersedes and overlap == 0
local prefix = thread .. provider
-- One that was issued since may be in the index, or may have been undone: the records tell which are older.
local mustRead = onExisting == 'carry' or supersedes and own ~= last
if mustRead and (redis.call('HGET', KEYS[2], 'q:' .. provider) or '0') ~= read then return {'again'} end

-- What this one takes the place of: ids, and their records.
local taken, takenRecords = {}, {}
if mustRead then
  local aliases = {}
  local function take(name, record, h)
    taken[#taken + 1], taken[name], takenRecords[#taken + 1] = name, true, {key = record, text = h.text}
  end
  for index = 1, (#KEYS - records + 1) / 2 do
    local record, session, name = KEYS[records + 2 * index - 2], KEYS[records + 2 * index - 1], ARGV[old + index]
    local h = load(record)
    if not h or h.revoked then
      -- Gone, or revoked.
    elseif h.holder then
      aliases[#aliases + 1] = {name, record, h}
    elseif h.generation < own then
      local state, _, _, _, ending = judged(h, session)
      -- One in its overlap ends with that: to be carried gives no time.
      if supersedes or (state == 'live' and not ending) then take(name, record, h) end
    end
  end
  for _, alias in ipairs(aliases) do
    if taken[alias[3].holder] then take(alias[1], alias[2], alias[3]) end
  end
elseif supersedes then
  for _, name in ipairs(redis.call('ZRANGEBYLEX', KEYS[6], '[' .. prefix, '[' .. prefix .. '~')) do
    if name ~= id then taken[#taken + 1] = name end
  end
end
local superseded, carried = supersedes and taken or {}, supersedes and {} or taken
local count = redis.call('ZLEXCOUNT', KEYS[6], '[' .. thread, '[' .. thread .. '~')
if ends then count = count - #superseded end
if most and count >= most and not redis.call('ZSCORE', KEYS[6], id) then return {'crowded'} end

local gone = math.min(expires, idle) + retention
-- They stay as long as the one that they stand for.
for index, name in ipairs(carried) do
  local record = takenRecords[index]
  redis.call('HSET', record.key, 'o', id, 'e', record.text)
  redis.call('HDEL', record.key, 'v', 'w')
  redis.call('PEXPIRE', record.key, text(gone - now))
  redis.call('ZADD', KEYS[7], 'XX', text(gone), name)
end
if supersedes then
  local ranges = ''
  for from, to, usable in string.gmatch(standings[6] or '', '(%d+)-(%d+)@(%d+);') do
    if now <= tonumber(usable) then
      local limit = ends and now - 1 or math.min(tonumber(usable), now + overlap)
      ranges = ranges .. from .. '-' .. to .. '@' .. text(limit) .. ';'
    end
  end
  if overlap > 0 then ranges = ranges .. text(first) .. '-' .. text(own - 1) .. '@' .. text(now + overlap) .. ';' end
  redis.call('HSET', KEYS[2], 'm:' .. provider, padded(own), 'o:' .. provider, ranges)
  for _, name in ipairs(superseded) do
    if ends then
      redis.call('ZREM', KEYS[6], name)
      redis.call('ZREM', KEYS[7], name)
    else
      redis.call('ZADD', KEYS[7], 'XX', 'LT', text(now + overlap), name)
    end
  end
end
redis.call('HINCRBY', KEYS[2], 'q:' .. provider, 1)
redis.call('HSET', KEYS[1], 'z', table.concat(superseded, ' '), 'zc', table.concat(carried, ' '))
keep(KEYS[1], KEYS[6], KEYS[7], id, gone, usable)
if ends and #superseded > 0 then ${tell('11', "'credential ' .. id")} end
return {'done', superseded, carried}`

/**
 * First step: writes one credential that nobody holds yet. Sent again, it answers the same. One that died on probation is
 * written again with the epochs and the generation that it had: when an epoch has ended since, it stays dead, and what was
 * issued since stays the newer one.
 *
 * KEYS: record, thread, provider, session, all, retired, names, deadlines. Answers `['issued', i, x, l, epochs, generation]`,
 * `['retired']`, `['crowded']`, `['ended']`, or `['taken']`.
 */
export const issueScript: RedisScript = defineScript('mcp_issue', 8, BODY)

/**
 * Second step, when the first is acknowledged: keeps the credential, and supersedes or carries the others. Sent again, it
 * answers the same.
 *
 * KEYS: record, thread, provider, session, all, names, deadlines, then for each old one that was read its record and its
 * session. Answers `['done', superseded, carried]`, `['gone']` when the credential died before, `['crowded']` when the
 * thread has too many, or `['again']` when the old ones must be read, or were read before another was confirmed.
 */
export const confirmScript: RedisScript = defineScript('mcp_confirm', 7, CONFIRM)
