import { defineScript, type RedisScript } from '@countersign/redis'
import { ID_LENGTH } from '../../token.js'
import { KEEP, LIFE, NUMBERS, STANDING } from './lua.js'

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
${NUMBERS}${STANDING}${LIFE}${KEEP}
local mode, digest = ARGV[1], ARGV[2]
local presentedId, holderId = string.sub(KEYS[1], -${ID_LENGTH}), string.sub(KEYS[2], -${ID_LENGTH})
local idleMs, coalesce, maxLife, retention, onUse, onTouch = lifeOf(ARGV[3])
-- The first field of its hash: as soon found as that there is no hash. A stranger must not learn from the time which ids
-- there are. Both are hashes, so how long this comparison takes tells nothing.
local secret = redis.call('HGET', KEYS[1], 'd')
if not secret or secret == '' then return nil end
if (mode == 'use' or mode == 'revive') and secret ~= digest then return 1 end
local presented = {secret, unpack(redis.call('HMGET', KEYS[1], 'o', 'r', 'w'))}
local holder = presented[2] or presentedId
if holder ~= holderId then return 'alias\\n' .. holder end
local h = redis.call('HMGET', KEYS[2], unpack(FIELDS))
if not h[1] then return nil end
local session = h[11] ~= '' and redis.call('GET', KEYS[5])
local standing, expires, idle, absolute, usable = judge(
  h, threadOf(KEYS[3], providerOf(presentedId)), redis.call('GET', KEYS[4]), session, redis.call('GET', KEYS[6]), maxLife, onTouch)
local keptExpires, keptIdle = expires, idle
if presented[3] then standing = 'revoked' end
local proven = mode == 'touch' or (mode ~= 'peek' and presented[1] == digest)
local slides = false
if mode == 'use' then slides = onUse and standing == 'live' end
if mode == 'revive' then slides = standing == 'live' or standing == 'idle' end
if mode == 'touch' then slides = standing == 'live' end
-- Whoever proves it holds it: its issuing was acknowledged.
if presented[4] and proven and mode ~= 'touch' and standing == 'live' then
  keep(KEYS[1], KEYS[7], KEYS[8], presentedId, math.min(idle, expires) + retention, usable)
end
if proven and slides then
  if mode ~= 'touch' then
    idle = math.max(idle, now + idleMs + coalesce)
    expires = math.max(expires, math.min(now + maxLife, absolute))
  end
  if idle - tonumber(h[7]) >= coalesce or expires - tonumber(h[6]) >= coalesce then
    redis.call('HSET', KEYS[2], 'x', text(expires), 'l', text(idle))
    local gone = math.min(idle, expires) + retention
    for index = 1, 8 do redis.call('PEXPIRE', KEYS[index], text(gone - now), 'GT') end
    local ending = text(math.min(gone, usable or gone))
    redis.call('ZADD', KEYS[8], 'XX', 'GT', ending, holderId)
    for alias in string.gmatch(h[15] or '', '%S+') do redis.call('ZADD', KEYS[8], 'XX', 'GT', ending, alias) end
  else
    expires, idle = keptExpires, keptIdle
  end
  standing = 'live'
end
local lines = {standing, presented[1], h[1], h[2], h[3], h[4], h[5], text(expires), text(idle)}
if standing == 'expired' or standing == 'idle' then lines[10] = text(now) end
if proven and standing == 'live' and h[15] and h[15] ~= '' then
  lines[10], lines[11] = '', text(math.min(idle, expires) + retention) .. ' ' .. h[15]
end
return table.concat(lines, '\\n')`,
)
