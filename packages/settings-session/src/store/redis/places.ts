import { PARTITIONS } from '@countersign/core/gate-kit'
import { keyTag, type RedisScript, type ScriptRunner } from '@countersign/redis'
import { partitionOfTag } from '../../tokens.js'

/** One hash tag of the store: all records of some users. */
export interface Place {
  key(kind: string, name: string): string
  run(script: RedisScript, keys: readonly string[], ...args: readonly (string | number)[]): Promise<unknown>
}

/** All places of a store. */
export interface Places {
  /** The place of a partition, 0 to 15. */
  of(partition: number): Place
  /** The place where a link, a session or a sign-in lies. */
  ofTag(tag: string): Place
}

/** The places that a script runner can reach. */
export function placesOf(runner: ScriptRunner): Places {
  const places = Array.from({ length: PARTITIONS }, (_, partition): Place => {
    const tag = keyTag(runner.namespace, 'settings', partition)
    const prefix = `${tag}:`
    return {
      key: (kind, name) => `${prefix}${kind}:${name}`,
      run: (script, keys, ...args) => runner.run(script, tag, keys, [prefix, ...args]),
    }
  })
  const of = (partition: number) => places[partition] as Place
  return { of, ofTag: (tag) => of(partitionOfTag(tag)) }
}
