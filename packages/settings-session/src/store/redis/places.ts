import { randomBytes } from 'node:crypto'
import { UnavailableError } from '@countersign/core'
import { partitionTags, type RedisScript, type ScriptRunner, type SharedScript } from '@countersign/redis/store'
import { partitionOfTag } from '../../tokens.js'

/** One hash tag of the store: all records of some users. */
export interface Place {
  /** Runs a script on records, by their names, and on those that it asks for: see {@link DECLARE}. */
  run(script: RedisScript, names: readonly string[], ...args: readonly (string | number)[]): Promise<unknown>
  /**
   * Asks a shared script that takes a record and its user's epoch. Undefined when this process does not know
   * the epoch of the record.
   */
  askKnown(script: SharedScript, record: string, ...args: readonly (string | number)[]): Promise<unknown> | undefined
  /**
   * As `run`, of a change of state (`defineSettingsChange`): its reply may come later, and a command that the client sends
   * again is the same attempt.
   */
  change(script: RedisScript, names: readonly string[], ...args: readonly (string | number)[]): Promise<unknown>
}

type Way = ScriptRunner['run' | 'change']

/** All places of a store. */
export interface Places {
  /** The place of a partition, 0 to 15. */
  of(partition: number): Place
  /** The place where a link, a session or a sign-in lies. */
  ofTag(tag: string): Place
}

/** What a script answers, with names, when it needs records that were not declared to it. It has changed nothing then. */
export const DECLARE = 'declare'

/** Each round declares what the one before asked for; only a user who opens sessions all the time needs more. */
const MOST_ROUNDS = 8
/** Records whose user is known to this process. With them a decision is one command. */
const MAX_KNOWN = 10_000

/** The places that a script runner can reach. */
export function placesOf(runner: ScriptRunner): Places {
  const epochs = new Map<string, string>()

  function learn(record: string, asked: readonly string[]): void {
    const epoch = asked.find((name) => name.startsWith('e:'))
    if (epoch === undefined) return
    epochs.set(record, epoch)
    if (epochs.size <= MAX_KNOWN) return
    for (const oldest of epochs.keys()) {
      epochs.delete(oldest)
      return
    }
  }

  const places = partitionTags(runner.namespace, 'settings').map((tag): Place => {
    const prefix = `${tag}:`

    async function send(
      way: Way,
      script: RedisScript,
      names: readonly string[],
      args: readonly (string | number)[],
      rounds: number,
    ): Promise<unknown> {
      const keys = names.map((name) => prefix + name)
      const reply = await way(script, tag, keys, [prefix, ...args])
      if (!Array.isArray(reply) || reply[0] !== DECLARE) return reply
      if (rounds === 0) throw new UnavailableError('session_store', "the user's sessions changed again and again")
      const asked = reply.slice(1).map(String)
      learn(names[0] as string, asked)
      return send(way, script, [...names, ...asked], args, rounds - 1)
    }

    function start(way: Way, script: RedisScript, names: readonly string[], args: readonly (string | number)[]) {
      const known = epochs.get(names[0] as string)
      const all = known === undefined || names.includes(known) ? names : [...names, known]
      return send(way, script, all, args, MOST_ROUNDS)
    }

    return {
      run: (script, names, ...args) => start(runner.run, script, names, args),
      askKnown: (script, record, ...args) => {
        const epoch = epochs.get(record)
        return epoch === undefined ? undefined : runner.ask(script, tag, [prefix + record, prefix + epoch], args)
      },
      change: (script, names, ...args) => {
        const attempt = randomBytes(12).toString('base64url')
        return start(runner.change, script, [...names, `a:${attempt}`], [attempt, ...args])
      },
    }
  })
  const of = (partition: number) => places[partition] as Place
  return { of, ofTag: (tag) => of(partitionOfTag(tag)) }
}
