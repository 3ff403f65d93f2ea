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

// h is {t, p, s, c, i, x, l, a, et, ep, es, ea, g, r, zc}, thread is {e, as, au, at, m, o}.
/** The standing of a credential: all that a decision checks. Of one in its overlap the fifth result is its end. */
export const STANDING: string = `local function judge(h, thread, provider, session, all, maxLife, onTouch)
  local expires, idle, absolute = tonumber(h[6]), tonumber(h[7]), tonumber(h[8]) or math.huge
  local from, alive, touched = tonumber(thread[2]), tonumber(thread[3]), tonumber(thread[4])
  if onTouch and from and from <= idle and from <= expires then
    idle = math.max(idle, alive)
    expires = math.max(expires, math.min(touched + maxLife, absolute))
  end
  local standing, last = 'live', nil
  if h[14] or thread[1] ~= h[9] or provider ~= h[10] or (h[11] ~= '' and session ~= h[11]) or all ~= h[12] then
    standing = 'revoked'
  else
    local generation = tonumber(h[13])
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
local FIELDS = {'t', 'p', 's', 'c', 'i', 'x', 'l', 'a', 'et', 'ep', 'es', 'ea', 'g', 'r', 'zc'}
local function threadOf(key, provider)
  return redis.call('HMGET', key, 'e', 'as', 'au', 'at', 'm:' .. provider, 'o:' .. provider)
end
`

/** Keeps a credential that was on probation, and puts it into the index: of one in its overlap, until that ends. */
export const KEEP: string = `local function stay(key, ttl)
  if redis.call('PTTL', key) == -1 then redis.call('PEXPIRE', key, ttl) else redis.call('PEXPIRE', key, ttl, 'GT') end
end
local function keep(record, names, deadlines, id, gone, usable)
  local ttl = text(gone - now)
  redis.call('HDEL', record, 'w')
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
