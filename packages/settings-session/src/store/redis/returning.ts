import { partitionOf } from '@countersign/core/gate-kit'
import type { RedisScript } from '@countersign/redis/store'
import type { SettingsIdentity, SettingsUser } from '../../principal.js'
import { claimKey, identityText, userKey } from '../keys.js'
import { defineSettingsChange, defineSettingsScript, MUST_BE_MASTER } from './library.js'
import type { Places } from './places.js'

// `i`, of an identity: its users, by their keys. It lies elsewhere than they do, so it is a hint: whom it names is asked for.

/** Users of one identity that are remembered. Who has more chooses by a link. */
const MOST_USERS = 20

/** KEYS: identity's users. ARGV: prefix, user key, user. */
const rememberScript: RedisScript = defineSettingsChange(
  'remember_user',
  1,
  `if redis.call('HLEN', KEYS[1]) < ${MOST_USERS} then redis.call('HSET', KEYS[1], ARGV[2], ARGV[3]) end
return keep()`,
)

/** KEYS: identity's users. ARGV: prefix, user key. */
const forgetScript: RedisScript = defineSettingsChange(
  'forget_user',
  1,
  `redis.call('HDEL', KEYS[1], ARGV[2])
return keep()`,
)

/** KEYS: identity's users. ARGV: prefix. */
const usersScript: RedisScript = defineSettingsScript(
  'users_of_identity',
  1,
  `${MUST_BE_MASTER}return redis.call('HVALS', KEYS[1])`,
)

/** KEYS: user's side. ARGV: prefix, identity. */
const mayReturnScript: RedisScript = defineSettingsScript(
  'may_return',
  1,
  `${MUST_BE_MASTER}local row = load(KEYS[1])
if not row or row.id ~= ARGV[2] then return 'other' end
return row.z and 'barred' or 'yes'`,
)

/** Which users an identity may open by a sign-in alone. */
export interface ReturningUsers {
  of(identity: SettingsIdentity): Promise<readonly SettingsUser[]>
  /** Who the user of a key is, where it is remembered. */
  nameOf(identity: SettingsIdentity, key: string): Promise<SettingsUser | undefined>
  /** Never rejects: who is not remembered needs a link once more. */
  remember(user: SettingsUser, identity: SettingsIdentity): Promise<void>
}

/** The part of the Redis store that finds users by their identities. */
export function redisReturning(places: Places): ReturningUsers {
  const placeOf = (identity: SettingsIdentity) => {
    const key = claimKey(identity)
    return { place: places.of(partitionOf(key)), names: [`i:${key}`] }
  }

  async function check(user: SettingsUser, identity: SettingsIdentity): Promise<readonly SettingsUser[]> {
    const key = userKey(user)
    const home = places.of(partitionOf(key))
    const answer = await home.run(mayReturnScript, [`u:${key}`], identityText(identity))
    if (answer === 'yes') return [user]
    if (answer === 'other') {
      const { place, names } = placeOf(identity)
      await place.change(forgetScript, names, key)
    }
    return []
  }

  return {
    async of(identity) {
      const { place, names } = placeOf(identity)
      const texts = (await place.run(usersScript, names)) as readonly string[]
      const users = texts.map((text) => JSON.parse(text) as SettingsUser)
      return (await Promise.all(users.map((user) => check(user, identity)))).flat()
    },
    async nameOf(identity, key) {
      const { place, names } = placeOf(identity)
      const texts = (await place.run(usersScript, names)) as readonly string[]
      return texts.map((text) => JSON.parse(text) as SettingsUser).find((user) => userKey(user) === key)
    },
    async remember({ platform, team, userId }, identity) {
      const user = { platform, team, userId }
      const { place, names } = placeOf(identity)
      await place.change(rememberScript, names, userKey(user), JSON.stringify(user)).catch(() => undefined)
    },
  }
}
