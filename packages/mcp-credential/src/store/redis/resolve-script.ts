import { defineScript, type RedisScript } from '@countersign/redis/store'
import { ID_LENGTH } from '../../token.js'
import { KEEP, LIFE, NUMBERS, RECORD } from './lua.js'

/**
 * Looks one credential up and slides it, in one command. `mode`: `use`, `revive` (an idle one too), `touch` (keeps what
 * the thread's touches gave), `peek`.
 *
 * KEYS: presented, holder, thread, provider, session, all, names, deadlines. Presented and holder differ for an alias.
 * ARGV: mode, digest, life. Answers null, 1 of a secret that is not the credential's (a
 * number is read as soon as null), or lines: `alias` and the holder that the caller has to come again with, or
 * standing, digest, t, p, s, c, i, expires, idle, and now when it is expired or idle, or nothing and, of a live one, until when
 * its aliases stay and their ids. No value contains a line break, and one text is cheaper to read than nine.
 */
export const resolveScript: RedisScript = defineScript(
  'mcp_resolve',
  8,
  `-- The fence of the other scripts, on a key that is there whether or not the credential is: it takes as long for both.
redis.call('ZREM', KEYS[7], '')
${NUMBERS}${RECORD}${LIFE}${KEEP}
local mode, digest = ARGV[1], ARGV[2]
local presentedId, holderId = string.sub(KEYS[1], -${ID_LENGTH}), string.sub(KEYS[2], -${ID_LENGTH})
local idleMs, coalesce, maxLife, retention, onUse, onTouch = lifeOf(ARGV[3])
-- The first field of its hash: as soon found as that there is no hash. A stranger must not learn from the time which ids
-- there are. Both are hashes, so how long this comparison takes tells nothing.
local secret = redis.call('HGET', KEYS[1], 'k')
if not secret or secret == '' then return nil end
if (mode == 'use' or mode == 'revive') and secret ~= digest then return 1 end
local presented = {secret, unpack(redis.call('HMGET', KEYS[1], 'o', 'r', 'w'))}
local holder = presented[2] or presentedId
if holder ~= holderId then return 'alias\\n' .. holder end
local h = load(KEYS[2])
if not h then return nil end
local standing, expires, idle, absolute, usable = judge(
  h, threadOf(KEYS[3], providerOf(presentedId)), redis.call('GET', KEYS[4]), redis.call('GET', KEYS[5]),
  redis.call('GET', KEYS[6]), maxLife, onTouch)
local keptExpires, keptIdle = expires, idle
if presented[3] then standing = 'revoked' end
local proven = mode == 'touch' or (mode ~= 'peek' and presented[1] == digest)
local slides = false
if mode == 'use' then slides = onUse and standing == 'live' end
if mode == 'revive' then slides = standing == 'live' or standing == 'idle' end
if mode == 'touch' then slides = standing == 'live' end
-- The caller that proves it holds it: its issuing was acknowledged.
if presented[4] and proven and mode ~= 'touch' and standing == 'live' then
  keep(KEYS[1], KEYS[7], KEYS[8], presentedId, math.min(idle, expires) + retention, usable)
  h.field = 'v'
end
if proven and slides then
  if mode ~= 'touch' then
    idle = math.max(idle, now + idleMs + coalesce)
    expires = math.max(expires, math.min(now + maxLife, absolute))
  end
  if idle - h.idle >= coalesce or expires - h.expires >= coalesce then
    h.expires, h.idle = expires, idle
    redis.call('HSET', KEYS[2], h.field, pack(h))
    local gone = math.min(idle, expires) + retention
    for index = 1, 8 do redis.call('PEXPIRE', KEYS[index], text(gone - now), 'GT') end
    local ending = text(math.min(gone, usable or gone))
    redis.call('ZADD', KEYS[8], 'XX', 'GT', ending, holderId)
    for alias in string.gmatch(h.carried, '%S+') do redis.call('ZADD', KEYS[8], 'XX', 'GT', ending, alias) end
  else
    expires, idle = keptExpires, keptIdle
  end
  standing = 'live'
end
local lines = {standing, presented[1], h.subject, text(h.issued), text(expires), text(idle)}
if standing == 'expired' or standing == 'idle' then lines[7] = text(now) end
if proven and standing == 'live' and h.carried ~= '' then
  lines[7], lines[8] = '', text(math.min(idle, expires) + retention) .. ' ' .. h.carried
end
return table.concat(lines, '\\n')`,
)
