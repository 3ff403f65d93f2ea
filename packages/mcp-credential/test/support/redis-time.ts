import { promisify } from 'node:util'
import type { Cluster, Redis } from 'ioredis'

// Time cannot be moved in a Redis; but what is stored can be moved back, which is the same.
const SHIFT = `local ms = tonumber(ARGV[1])
local function back(key, ...)
  for _, field in ipairs({...}) do
    local value = redis.call('HGET', key, field)
    if value and value ~= '' then redis.call('HSET', key, field, string.format('%.0f', tonumber(value) - ms)) end
  end
end
for _, key in ipairs(redis.call('KEYS', '*')) do
  local ttl = redis.call('PTTL', key)
  if ttl >= 0 and ttl <= ms then
    redis.call('DEL', key)
  elseif ttl >= 0 then
    redis.call('PEXPIRE', key, ttl - ms)
    if string.find(key, '}:c:', 1, true) then
      for _, field in ipairs({'w', 'v', 'e'}) do
        local value = redis.call('HGET', key, field)
        -- Expires, idle, issued, and the end, of 16 digits or blanks each.
        for at = 1, 49, 16 do
          local moment = value and tonumber(string.sub(value, at, at + 15))
          if moment then
            value = string.sub(value, 1, at - 1) .. string.format('%016.0f', moment - ms) .. string.sub(value, at + 16)
          end
        end
        if value then redis.call('HSET', key, field, value) end
      end
    end
    if string.find(key, '}:t:', 1, true) then
      back(key, 'as', 'au', 'at', 'rf')
      for _, field in ipairs(redis.call('HKEYS', key)) do
        if string.sub(field, 1, 2) == 'o:' then
          local moved = string.gsub(redis.call('HGET', key, field), '@(%d+);', function(at)
            return '@' .. string.format('%.0f', tonumber(at) - ms) .. ';'
          end)
          redis.call('HSET', key, field, moved)
        end
      end
    end
    if string.find(key, '}:deadlines', 1, true) then
      local members = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')
      for index = 1, #members, 2 do
        redis.call('ZADD', key, string.format('%.0f', tonumber(members[index + 1]) - ms), members[index])
      end
    end
  end
end
return 1`

const WITHOUT_TTL = `local found = {}
for _, key in ipairs(redis.call('KEYS', '*')) do
  if redis.call('PTTL', key) == -1 then found[#found + 1] = key end
end
return found`

export const mastersOf = (redis: Redis | Cluster): Redis[] => ('nodes' in redis ? redis.nodes('master') : [redis])

/** Lets time pass for everything that is stored. */
export async function passInRedis(redis: Redis | Cluster, ms: number): Promise<void> {
  for (const node of mastersOf(redis)) await node.eval(SHIFT, 0, ms)
}

/** The keys that would stay for ever. */
export async function keysWithoutTtl(redis: Redis | Cluster): Promise<string[]> {
  const found: string[] = []
  // After a failover the client may not have heard yet which nodes are the masters.
  if ('nodes' in redis) await promisify(redis.refreshSlotsCache.bind(redis))()
  for (const node of mastersOf(redis)) {
    found.push(...((await node.eval(WITHOUT_TTL, 0)) as string[]))
  }
  return found
}

/** The records of credentials. */
export async function countRecords(redis: Redis | Cluster): Promise<number> {
  const keys = await Promise.all(mastersOf(redis).map((node) => node.keys('*}:c:*')))
  return keys.flat().length
}

export async function emptyRedis(redis: Redis | Cluster): Promise<void> {
  for (const node of mastersOf(redis)) await node.flushall()
}
