import { PARTITIONS } from '@countersign/core/gate-kit'
import { keyTag, type RedisScript, type ScriptRunner } from '@countersign/redis'
import { partitionOfTag } from '../tokens.js'

/** One hash tag of the store: where all of some users lies. */
export interface Place {
  key(kind: string, name: string): string
  run(script: RedisScript, keys: readonly string[], ...args: readonly (string | number)[]): Promise<unknown>
}

export interface Places {
  /** The place of a partition, 0 to 15. */
  of(partition: number): Place
  /** The place where a link, a session or a sign-in lies. */
  ofTag(tag: string): Place
}

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
