import type { AuditEvent } from '@countersign/audit'
import { isReached, type Sender, type Step, senderTo } from './exchange.js'
import type { World, WorldSide } from './world.js'

/** What became of a request. */
export type Outcome = 'let in' | 'refused' | 'unavailable' | 'nothing opened' | 'cut off'

/** A row is a request that belongs in, one that does not, or one that comes while something is out of order. */
export type RowKind = 'valid' | 'attack' | 'outage'

/** What is right for each kind. An outage is never a refusal, and never a way in. */
const RIGHT: Readonly<Record<RowKind, readonly Outcome[]>> = {
  valid: ['let in'],
  attack: ['refused', 'nothing opened', 'cut off'],
  outage: ['unavailable'],
}

/** What one side does with a row, and why in words. */
export interface Expected {
  readonly outcome: Outcome
  readonly status: number
  readonly why: string
}

/** One app at one row. */
export interface Side extends Pick<Sender, 'send'>, WorldSide {}

/** What a player saw, where the last answer does not tell all of it. */
export interface Played {
  readonly response: Response
  readonly outcome?: Outcome | undefined
  /** The id of the credential that the event is about, where it is about no request. */
  readonly credentialId?: string | undefined
}

/** What is the same for all rows of a kind of caller. */
export interface RowTexts {
  readonly id: string
  readonly kind: RowKind
  readonly title: string
  readonly story: string
  /** `reason`: the audit's; `granted`; or `none` where nothing is decided. */
  readonly ours: Expected & { readonly reason: string }
  readonly usual: Expected
}

/** A row: what is prepared once, and what is then done with it on each side alike. */
export interface RowDefinition<T> extends RowTexts {
  prepare(world: World): T | Promise<T>
  play(side: Side, prepared: T): Promise<Response | Played>
}

/** A row that can be run. */
export interface Row extends RowTexts {
  run(world: World): Promise<Result>
}

/** What one side answered. */
export interface Answer {
  readonly outcome: Outcome
  readonly status: number
  /** Right for the kind of the row. */
  readonly isRight: boolean
  /** As the row says that this side does. */
  readonly isAsExpected: boolean
  /** Why, in words, where it is as expected; otherwise what was expected. */
  readonly why: string
  readonly steps: readonly Step[]
  /** The header fields that tell the caller what to do. */
  readonly headers: readonly (readonly [string, string])[]
  readonly body: string
}

/** What both sides did with one row. */
export interface Result {
  readonly id: string
  readonly request: string
  readonly ours: Answer & { readonly reason: string; readonly event?: AuditEvent | undefined }
  readonly usual: Answer
}

/** Makes a row that runs on both sides, ours first. */
export function row<T>(definition: RowDefinition<T>): Row {
  const { prepare, play, ...texts } = definition
  return {
    ...texts,
    async run(world) {
      const prepared = await prepare(world)
      const perform = async (side: WorldSide) => {
        const sender = senderTo(side.port)
        const played = await play({ ...side, send: sender.send }, prepared)
        const seen = played instanceof Response ? { response: played } : played
        return { seen, sender, answer: await answerOf(seen, sender) }
      }
      const ours = await perform(world.ours)
      const event = await world.eventOf(ours.seen.response.headers.get('x-request-id'), ours.seen.credentialId)
      const usual = await perform(world.usual)
      const reason = reasonOf(event)
      return {
        id: texts.id,
        request: ours.sender.lastRequest(),
        ours: { ...judge(ours.answer, texts.kind, texts.ours, reason), reason, event },
        usual: judge(usual.answer, texts.kind, texts.usual),
      }
    },
  }
}

type Bare = Omit<Answer, 'isRight' | 'isAsExpected' | 'why'>

function judge(
  answer: Bare,
  kind: RowKind,
  expected: Expected & { readonly reason?: string },
  reason?: string,
): Answer {
  const { outcome, status } = expected
  const isAsExpected = answer.outcome === outcome && answer.status === status && reason === expected.reason
  const unexpected = ['Not what was expected:', outcome, status, expected.reason ?? ''].join(' ').trim()
  return {
    ...answer,
    isRight: RIGHT[kind].includes(answer.outcome),
    isAsExpected,
    why: isAsExpected ? expected.why : `${unexpected}.`,
  }
}

const TOLD = ['www-authenticate', 'retry-after', 'content-type', 'location']
const MOST_SHOWN = 600

async function answerOf({ response, outcome }: Played, { steps }: Sender): Promise<Bare> {
  const { status, headers } = response
  const text = response.bodyUsed || response.body?.locked ? '' : await response.text()
  return {
    outcome: outcome ?? outcomeOf(response),
    status,
    steps: [...steps],
    headers: TOLD.flatMap((name) => (headers.has(name) ? [[name, headers.get(name) as string] as const] : [])),
    body: text.length > MOST_SHOWN ? `${text.slice(0, MOST_SHOWN)} …` : text,
  }
}

function outcomeOf(response: Response): Outcome {
  if (isReached(response)) return 'let in'
  if (response.status >= 500) return 'unavailable'
  return response.status >= 400 ? 'refused' : 'nothing opened'
}

function reasonOf(event: AuditEvent | undefined): string {
  if (event === undefined) return 'none'
  if (event.type === 'access.granted') return 'granted'
  return event.reason ?? event.type
}
