import { defineSharedScript, type SharedScript } from '@countersign/redis/store'
import { PROVIDER_PART } from '../../token.js'
import type { CredentialLife } from '../port.js'
import { EPOCHS_AT, WIDTH } from './lua.js'

/** What the script answers of a credential that is not simply live: the caller asks `resolveScript`, which does all the rest. */
export const IS_NOT_PLAIN = 2

/**
 * The decision on a credential that is live, and has nothing to be written: nearly every decision there is. It reads five or six
 * values and writes nothing. What it does not grant it leaves to `resolveScript`; only an unknown id and a wrong secret are
 * answered at once, alike.
 *
 * Its keys are those of record, thread, all, provider, and session where there is one; its argument is the digest. Answers null, 1 of a secret that is not the credential's, 2 of what is not plain, or the
 * packed record.
 */
export function decideScript(life: CredentialLife, hasSession: boolean): SharedScript {
  let known = scripts.get(life)
  if (known === undefined) {
    known = { alone: define('mcp_decide', life, false), ofSession: define('mcp_decide_in_session', life, true) }
    scripts.set(life, known)
  }
  return hasSession ? known.ofSession : known.alone
}

const scripts = new WeakMap<CredentialLife, { readonly alone: SharedScript; readonly ofSession: SharedScript }>()

/** What the key of a provider ends with: its hash, by which a thread has the generation that supersedes others. */
const PROVIDER_LENGTH = PROVIDER_PART.to - PROVIDER_PART.from

const part = (index: number) => `sub(v, ${index * WIDTH + 1}, ${(index + 1) * WIDTH})`

function define(name: string, life: CredentialLife, hasSession: boolean): SharedScript {
  const keys = ['recordKey', 'threadKey', 'allKey', 'providerKey', ...(hasSession ? ['sessionKey'] : [])]
  return defineSharedScript(name, {
    keys,
    args: ['digest'],
    once: onceOf(life),
    body: bodyOf(life, hasSession),
  })
}

// The numbers of a life are part of the script's text: as arguments each would be sent, parsed and converted for every decision.
function onceOf({ idleTimeoutMs, coalesceMs, maximumLifetimeMs }: CredentialLife): string {
  return `local idleDue, lastDue = now + ${idleTimeoutMs}, now + ${maximumLifetimeMs - coalesceMs}
-- Many credentials have the same provider, and some the same session: the values of keys that were read.
local known = {}
local function valueOf(key, command)
  local value = known[key]
  if value == nil then
    value = call(command, key)
    known[key] = value
  end
  return value
end
`
}

function bodyOf({ maximumLifetimeMs, coalesceMs, slidesOnUse, slidesOnTouch }: CredentialLife, hasSession: boolean) {
  return `-- The fence of the other scripts: GETEX is a write, and reads what is needed anyway.
local all = valueOf(allKey, 'GETEX')
-- Alone, and first: a stranger must not learn from the time which ids there are. Texts of Lua are compared by their address,
-- so it takes as long whatever is equal.
local secret = call('HGET', recordKey, 'k')
if not secret or secret == '' then return nil end
if secret ~= digest then return 1 end
local v = call('HGET', recordKey, 'v')
if not v then return ${IS_NOT_PLAIN} end
local row = call('HMGET', threadKey, 'e', 'm:' .. sub(providerKey, -${PROVIDER_LENGTH})${slidesOnTouch ? ", 'as'" : ''})
local thread, newest = row[1], row[2]
local provider, session = valueOf(providerKey, 'GET'), ${hasSession ? "valueOf(sessionKey, 'GET')" : "''"}
if not (all and thread and provider and session) then return ${IS_NOT_PLAIN} end
local epochs = thread .. ' ' .. provider .. ' ' .. session .. ' ' .. all .. '\\n'
if sub(v, ${EPOCHS_AT}, ${EPOCHS_AT - 1} + #epochs) ~= epochs then return ${IS_NOT_PLAIN} end
if newest then
  local own = ${part(4)}
  if newest ~= own and tonumber(own) < tonumber(newest) then return ${IS_NOT_PLAIN} end
end
local kept, keptIdle = tonumber(${part(0)}), tonumber(${part(1)})
local expires, idle = kept, keptIdle
${slidesOnTouch ? touched(maximumLifetimeMs) : ''}if now > expires or now > idle then return ${IS_NOT_PLAIN} end
${slidesOnUse ? due(coalesceMs, maximumLifetimeMs) : ''}if expires == kept and idle == keptIdle then return v end
return string.format('%0${WIDTH}.0f%0${WIDTH}.0f', expires, idle) .. sub(v, ${2 * WIDTH + 1})`
}

/** What touches of the thread gave, as `judge` has it. */
const touched = (maximumLifetimeMs: number) => `local from = row[3] and tonumber(row[3])
if from and from <= idle and from <= expires then
  local alive, last = unpack(call('HMGET', threadKey, 'au', 'at'))
  idle = math.max(idle, tonumber(alive))
  expires = math.max(expires, math.min(tonumber(last) + ${maximumLifetimeMs}, tonumber(${part(3)}) or math.huge))
end
`

/** Whether this use moves a deadline by so much that it has to be written. */
const due = (coalesceMs: number, maximumLifetimeMs: number) =>
  `if keptIdle <= idleDue or idle - keptIdle >= ${coalesceMs} or expires - kept >= ${coalesceMs} then return ${IS_NOT_PLAIN} end
if kept <= lastDue then
  local most = math.min(now + ${maximumLifetimeMs}, tonumber(${part(3)}) or math.huge)
  if most - kept >= ${coalesceMs} then return ${IS_NOT_PLAIN} end
end
`
