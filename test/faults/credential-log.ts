import { readFileSync } from 'node:fs'
import type { McpCredentials } from '@countersign/mcp-credential'

/** A line of the report of `credential-log-process.ts`. */
export interface Step {
  readonly begins?: Begun
  readonly done?: { readonly id?: string; readonly token?: string }
}

type Begun =
  | {
      readonly do: 'issue'
      readonly thread: string
      readonly provider: string
      readonly onExisting: 'supersede' | 'keep' | 'carry'
    }
  | { readonly do: 'revoke'; readonly id: string }
  | { readonly do: 'revokeThread'; readonly thread: string }
  | { readonly do: 'revokeProvider'; readonly provider: string }

interface Known {
  readonly id: string
  readonly token: string
  readonly thread: string
  readonly provider: string
  /** Undefined when the process was killed while it changed that. */
  isLive: boolean | undefined
  /** The newest credential that its token stands for. */
  holder: Known | undefined
}

/** What the reports of killed processes say must be, in the plainest form. */
export class Acknowledged {
  readonly #known: Known[] = []
  /** Those of the last report: its steps concern no others. */
  #recent: Known[] = []
  steps = 0

  /** Reads the report of a process; its last step may have been cut off. */
  read(report: string): void {
    this.#recent = []
    const lines = readFileSync(report, 'utf8').split('\n').slice(0, -1)
    const steps = lines.map((line) => JSON.parse(line) as Step)
    for (const [index, { begins }] of steps.entries()) {
      if (begins === undefined) continue
      this.steps += 1
      this.#take(begins, steps[index + 1]?.done)
    }
  }

  #take(begun: Begun, done: Step['done']): void {
    const ends = (matches: (one: Known) => boolean) => {
      for (const one of this.#recent) if (one.isLive !== false && matches(one)) one.isLive = done && false
    }
    if (begun.do === 'revoke') ends(({ id, holder }) => id === begun.id || holder?.id === begun.id)
    else if (begun.do === 'revokeThread') ends(({ thread }) => thread === begun.thread)
    else if (begun.do === 'revokeProvider') ends(({ provider }) => provider === begun.provider)
    else {
      const { thread, provider, onExisting } = begun
      const before = this.#recent.filter(
        (one) => one.isLive !== false && one.thread === thread && one.provider === provider,
      )
      const added: Known | undefined =
        done?.token === undefined
          ? undefined
          : { id: done.id as string, token: done.token, thread, provider, isLive: true, holder: undefined }
      if (onExisting === 'supersede') for (const one of before) one.isLive = added && false
      if (onExisting === 'carry' && added) for (const one of before) one.holder = added
      if (added) {
        this.#known.push(added)
        this.#recent.push(added)
      }
    }
  }

  /** What contradicts it, and how much was compared. What was not known before is known by this. */
  async compare(credentials: McpCredentials): Promise<{ wrong: string[]; live: number; ended: number }> {
    const wrong: string[] = []
    const found = { live: 0, ended: 0 }
    for (const one of this.#known) {
      const { standing } = await credentials.resolve(one.token)
      const isLive = standing === 'live'
      found[isLive ? 'live' : 'ended'] += 1
      if (one.isLive !== undefined && one.isLive !== isLive) wrong.push(`${one.id} of ${one.thread} is ${standing}`)
      if (one.isLive === undefined && !isLive && standing === 'superseded') {
        // Nobody was told of the new one, and it is there.
        const { credentials: left } = await credentials.list({ threadId: one.thread })
        if (!left.some((other) => other.standing === 'live')) wrong.push(`nothing is left of ${one.thread}`)
      }
      one.isLive = isLive
    }
    return { wrong, ...found }
  }
}
