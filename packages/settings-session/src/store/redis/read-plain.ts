import { defineSharedScript, type SharedScript } from '@countersign/redis/store'
import type { ReadResult } from '../port.js'
import { sessionOf } from './reply.js'

/** What the script answers of a session that it does not grant: the caller asks `readScript`, which does all the rest. */
const IS_NOT_PLAIN = 2

const HASH = 43
const WIDTH = 16
const EPOCH = 16
const at = (start: number, length: number) => `sub(packed, ${start + 1}, ${start + length})`
const EXPIRES = at(HASH, WIDTH)
const IDLE = at(HASH + WIDTH, WIDTH)
const EPOCH_AT = HASH + 2 * WIDTH

/**
 * Packs an active session for {@link readPlainScript}: hash, when it expires, idle ms and epoch, each in its place, and then lines.
 * Its content is not among them, which may be long.
 */
export const PACK: string = `local function pack(row)
  return row.h .. string.format('%0${WIDTH}.0f%0${WIDTH}.0f', row.x, row.i) .. row.e .. table.concat({row.id or '', row.l or '', row.c, row.x, row.v}, '\\n')
end
`

/**
 * Reads an active session, notes its use, and does nothing else: nearly every read there is. What it does not grant it leaves to
 * `readScript`, which packed the session when it was read first.
 *
 * Its keys are those of session and epoch, its argument is the hash. Answers 2 of what is not plain, or the packed lines, when it was used, and the content.
 */
export const readPlainScript: SharedScript = defineSharedScript('settings_read_plain', {
  keys: ['sessionKey', 'epochKey'],
  args: ['hash'],
  once: `local nowText = string.format('%.0f', now)
`,
  body: `-- A write, as MUST_BE_MASTER is, that reads what is needed anyway.
local epoch = call('GETEX', epochKey)
local row = call('HMGET', sessionKey, 'pk', 't', 'd')
local packed, used = row[1], row[2]
if not packed or ${at(0, HASH)} ~= hash or ${at(EPOCH_AT, EPOCH)} ~= epoch then return ${IS_NOT_PLAIN} end
local last = tonumber(used)
if now >= tonumber(${EXPIRES}) or now >= last + ${IDLE} or now < last then return ${IS_NOT_PLAIN} end
if now > last then
  used = nowText
  call('HSET', sessionKey, 't', used)
end
return sub(packed, ${EPOCH_AT + EPOCH + 1}) .. '\\n' .. used .. '\\n' .. row[3]`,
})

/** The session that {@link readPlainScript} granted; undefined when it left the decision to another script. */
export function plainFrom(reply: unknown, id: string): ReadResult | undefined {
  // A client with stringNumbers gives a text.
  if (reply === IS_NOT_PLAIN || reply === String(IS_NOT_PLAIN)) return undefined
  const [identity = '', linkId = '', created = '', expires = '', verified, used = '', content = ''] = (
    reply as string
  ).split('\n')
  const verifiedMsAgo = String(Number(used) - Number(verified))
  const session = sessionOf([
    id,
    'active',
    content,
    identity,
    linkId,
    created,
    expires,
    used,
    verifiedMsAgo,
    '',
    '',
    '',
  ])
  return { outcome: 'found', session }
}
