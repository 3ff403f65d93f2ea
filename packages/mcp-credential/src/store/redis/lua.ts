import { PROVIDER_PART } from '../../token.js'
import type { CredentialLife } from '../port.js'

/** Lua that more than one script begins with. */

/**
 * A write that changes nothing. A replica, and a master that is cut off from its replicas (min-replicas-to-write), refuse
 * it, so a server that may have missed a revocation grants nothing. After it the script may write although memory is
 * full: what it writes replaces what was there.
 */
export const FENCE: string = `redis.call('HDEL', KEYS[1], '')
`

/** Numbers as Redis keeps them. */
export const NUMBERS: string = `local function text(number) return string.format('%.0f', number) end
`

/** Tells all processes what has ended. A user that may not publish ends it all the same: they find out by themselves. */
export function tell(channel: string, notice: string): string {
  return `redis.pcall('PUBLISH', ARGV[${channel}], ${notice})`
}

/** The letters of a padded number in a packed record. */
export const WIDTH = 16
/** Where the epochs begin in a packed record: after when it expires and is idle, was issued and ends at last, and its generation. */
export const EPOCHS_AT: number = 5 * WIDTH + 1

// A record is a hash: k the digest; all that a decision needs, in one text; r the attempt that revoked it, o whom an alias stands
// for, z and zc the ids that it superseded and carried. The text is five padded numbers, the epochs, and thread, provider, session
// and capabilities as lines. It lies in w on probation, in v when it is kept, and in e when it is revoked or an alias: so a plain
// decision reads one field, and no other.
/** Reads and writes a record, and says where it stands. */
export const RECORD: string = `local function padded(number) return number and string.format('%0${WIDTH}.0f', number) or string.rep(' ', ${WIDTH}) end
local function epochsOf(thread, provider, session, all)
  return (thread or '-') .. ' ' .. (provider or '-') .. ' ' .. (session or '') .. ' ' .. (all or '-')
end
local function pack(h)
  return padded(h.expires) .. padded(h.idle) .. padded(h.issued) .. padded(h.absolute) .. padded(h.generation) .. h.epochs
    .. '\\n' .. h.subject
end
local function load(key)
  local row = redis.call('HMGET', key, 'v', 'w', 'e', 'r', 'o', 'zc')
  local text = row[1] or row[2] or row[3]
  if not text then return nil end
  local h = {
    text = text, field = row[1] and 'v' or row[2] and 'w' or 'e', revoked = row[4], holder = row[5], carried = row[6] or '',
  }
  local at = 1
  for _, name in ipairs({'expires', 'idle', 'issued', 'absolute', 'generation'}) do
    h[name] = tonumber(string.sub(text, at, at + ${WIDTH - 1}))
    at = at + ${WIDTH}
  end
  h.epochs, h.subject = string.match(text, '^([^\\n]*)\\n(.*)$', at)
  return h
end
-- thread is {e, as, au, at, m, o}. Of one in its overlap the fifth result is its end.
local function judge(h, thread, provider, session, all, maxLife, onTouch)
  local expires, idle, absolute = h.expires, h.idle, h.absolute or math.huge
  local from, alive, touched = tonumber(thread[2]), tonumber(thread[3]), tonumber(thread[4])
  if onTouch and from and from <= idle and from <= expires then
    idle = math.max(idle, alive)
    expires = math.max(expires, math.min(touched + maxLife, absolute))
  end
  local standing, last = 'live', nil
  if h.revoked or h.epochs ~= epochsOf(thread[1], provider, session, all) then
    standing = 'revoked'
  else
    local generation = h.generation
    if generation < (tonumber(thread[5]) or 0) then
      standing = 'superseded'
      for from, to, usable in string.gmatch(thread[6] or '', '(%d+)-(%d+)@(%d+);') do
        if generation >= tonumber(from) and generation <= tonumber(to) and now <= tonumber(usable) then
          standing, last = 'live', tonumber(usable)
        end
      end
    end
    if standing == 'live' then
      if now > expires then standing = 'expired' elseif now > idle then standing = 'idle' end
    end
  end
  return standing, expires, idle, absolute, last
end
local function threadOf(key, provider)
  return redis.call('HMGET', key, 'e', 'as', 'au', 'at', 'm:' .. provider, 'o:' .. provider)
end
`

/** Keeps a credential that was on probation, and puts it into the index: of one in its overlap, until that ends. */
export const KEEP: string = `local function stay(key, ttl)
  if redis.call('PTTL', key) == -1 then redis.call('PEXPIRE', key, ttl) else redis.call('PEXPIRE', key, ttl, 'GT') end
end
local function keep(record, names, deadlines, id, gone, usable)
  local ttl, packed = text(gone - now), redis.call('HGET', record, 'w')
  if packed then
    redis.call('HSET', record, 'v', packed)
    redis.call('HDEL', record, 'w')
  end
  redis.call('PEXPIRE', record, ttl)
  redis.call('ZADD', names, 0, id)
  redis.call('ZADD', deadlines, text(math.min(gone, usable or gone)), id)
  stay(names, ttl)
  stay(deadlines, ttl)
end
`

/** A life as scripts read it, computed once. */
export function lifeText(life: CredentialLife): string {
  const known = lifeTexts.get(life)
  if (known !== undefined) return known
  const { idleTimeoutMs, coalesceMs, maximumLifetimeMs, retentionMs, slidesOnUse, slidesOnTouch } = life
  const numbers = [
    idleTimeoutMs,
    coalesceMs,
    maximumLifetimeMs,
    retentionMs,
    slidesOnUse ? 1 : 0,
    slidesOnTouch ? 1 : 0,
  ]
  const text = numbers.join(' ')
  lifeTexts.set(life, text)
  return text
}

const lifeTexts = new WeakMap<CredentialLife, string>()

/** Reads what {@link lifeText} wrote. */
export const LIFE: string = `local function lifeOf(text)
  local idleMs, coalesce, maxLife, retention, onUse, onTouch = string.match(text, '^(%d+) (%d+) (%d+) (%d+) (%d) (%d)$')
  return tonumber(idleMs), tonumber(coalesce), tonumber(maxLife), tonumber(retention), onUse == '1', onTouch == '1'
end
local function providerOf(id) return string.sub(id, ${PROVIDER_PART.from + 1}, ${PROVIDER_PART.to}) end
`
