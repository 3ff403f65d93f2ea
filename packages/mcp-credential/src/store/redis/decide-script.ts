import { defineScript, type RedisScript } from '@countersign/redis/store'
import type { CredentialLife } from '../port.js'
import { EPOCHS_AT, WIDTH } from './lua.js'

/** What the script answers of a credential that is not simply live: the caller asks `resolveScript`, which does all the rest. */
export const IS_NOT_PLAIN = 2

/**
 * The decision on a credential that is live, and has nothing to be written: nearly every decision there is. It reads five or six
 * values and writes nothing. What it does not grant it leaves to `resolveScript`; only an unknown id and a wrong secret are
 * answered at once, alike.
 *
 * KEYS: record, thread, all, provider, and session where there is one. ARGV: digest, the thread's field of the provider's
 * generation. Answers null, 1 of a secret that is not the credential's, 2 of what is not plain, or the packed record.
 */
export function decideScript(life: CredentialLife, hasSession: boolean): RedisScript {
  let known = scripts.get(life)
  if (known === undefined) {
    known = {
      alone: defineScript('mcp_decide', 4, bodyOf(life, false)),
      ofSession: defineScript('mcp_decide_in_session', 5, bodyOf(life, true)),
    }
    scripts.set(life, known)
  }
  return hasSession ? known.ofSession : known.alone
}

const scripts = new WeakMap<CredentialLife, { readonly alone: RedisScript; readonly ofSession: RedisScript }>()

const part = (index: number) => `string.sub(v, ${index * WIDTH + 1}, ${(index + 1) * WIDTH})`

// The numbers of a life are part of its text: as arguments each would be sent, parsed and converted for every decision.
function bodyOf(life: CredentialLife, hasSession: boolean): string {
  const { idleTimeoutMs, coalesceMs, maximumLifetimeMs, slidesOnUse, slidesOnTouch } = life
  return `-- The fence of the other scripts: GETEX is a write, and reads what is needed anyway.
local all = redis.call('GETEX', KEYS[3])
-- Alone, and first: a stranger must not learn from the time which ids there are. Texts of Lua are compared by their address,
-- so it takes as long whatever is equal.
local secret = redis.call('HGET', KEYS[1], 'k')
if not secret or secret == '' then return nil end
if secret ~= ARGV[1] then return 1 end
local v = redis.call('HGET', KEYS[1], 'v')
if not v then return ${IS_NOT_PLAIN} end
local thread, newest${slidesOnTouch ? ', touchedFrom' : ''} = unpack(redis.call('HMGET', KEYS[2], 'e', ARGV[2]${slidesOnTouch ? ", 'as'" : ''}))
${hasSession ? "local provider, session = unpack(redis.call('MGET', KEYS[4], KEYS[5]))" : "local provider, session = redis.call('GET', KEYS[4]), ''"}
if not (all and thread and provider and session) then return ${IS_NOT_PLAIN} end
local epochs = thread .. ' ' .. provider .. ' ' .. session .. ' ' .. all .. '\\n'
if string.sub(v, ${EPOCHS_AT}, ${EPOCHS_AT - 1} + #epochs) ~= epochs then return ${IS_NOT_PLAIN} end
local own = ${part(4)}
if newest and newest ~= own and tonumber(own) < tonumber(newest) then return ${IS_NOT_PLAIN} end
local kept, keptIdle = tonumber(${part(0)}), tonumber(${part(1)})
local expires, idle = kept, keptIdle
${slidesOnTouch ? touched(maximumLifetimeMs) : ''}if now > expires or now > idle then return ${IS_NOT_PLAIN} end
${slidesOnUse ? due(idleTimeoutMs, coalesceMs, maximumLifetimeMs) : ''}if expires == kept and idle == keptIdle then return v end
return string.format('%0${WIDTH}.0f%0${WIDTH}.0f', expires, idle) .. string.sub(v, ${2 * WIDTH + 1})`
}

/** What touches of the thread gave, as `judge` has it. */
const touched = (maximumLifetimeMs: number) => `local from = tonumber(touchedFrom or nil)
if from and from <= idle and from <= expires then
  local alive, last = unpack(redis.call('HMGET', KEYS[2], 'au', 'at'))
  idle = math.max(idle, tonumber(alive))
  expires = math.max(expires, math.min(tonumber(last) + ${maximumLifetimeMs}, tonumber(${part(3)}) or math.huge))
end
`

/** Whether this use moves a deadline by so much that it has to be written. */
const due = (idleTimeoutMs: number, coalesceMs: number, maximumLifetimeMs: number) =>
  `if math.max(idle, now + ${idleTimeoutMs + coalesceMs}) - keptIdle >= ${coalesceMs} then return ${IS_NOT_PLAIN} end
if math.max(expires, now + ${maximumLifetimeMs}) - kept >= ${coalesceMs} then
  local most = math.min(now + ${maximumLifetimeMs}, tonumber(${part(3)}) or math.huge)
  if math.max(expires, most) - kept >= ${coalesceMs} then return ${IS_NOT_PLAIN} end
end
`
