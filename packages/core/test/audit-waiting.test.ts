import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import type { AuditEvent } from '../src/audit/event.js'
import { type Rank, rankOf, Waiting, type WaitingEvent } from '../src/audit/waiting.js'

const item = (seq: number): WaitingEvent => ({ event: {} as AuditEvent, seq, settle: undefined, depth: 0 })
const numbers = (items: readonly WaitingEvent[]) => items.map(({ seq }) => seq)

describe('the rank of an event', () => {
  test.each<[string, Partial<AuditEvent>, Rank]>([
    ['a grant is kept first', { outcome: 'success', severity: 'info', type: 'access.granted' }, 0],
    ['so is a critical change of state', { outcome: 'success', severity: 'critical', type: 'access.granted' }, 0],
    ['then what is critical', { outcome: 'failure', severity: 'critical', type: 'access.denied' }, 1],
    [
      'and what is about the audit itself',
      { outcome: 'failure', severity: 'warning', type: 'audit.events.dropped' },
      1,
    ],
    ['then a refusal', { outcome: 'failure', severity: 'warning', type: 'access.denied' }, 2],
  ])('%s', (_title, event, rank) => {
    expect(rankOf(event as AuditEvent)).toBe(rank)
  })
})

type Step =
  | { readonly call: 'add'; readonly rank: Rank }
  | { readonly call: 'evict'; readonly rank: Rank; readonly mustBeBelow: boolean }
  | { readonly call: 'take'; readonly most: number; readonly order: 'by rank' | 'oldest first' }

const rank = fc.constantFrom<Rank>(0, 1, 2)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ call: fc.constant('add' as const), rank }) },
  fc.record({ call: fc.constant('evict' as const), rank, mustBeBelow: fc.boolean() }),
  fc.record({
    call: fc.constant('take' as const),
    most: fc.integer({ min: 1, max: 4 }),
    order: fc.constantFrom('by rank' as const, 'oldest first' as const),
  }),
)

interface Held {
  readonly seq: number
  readonly rank: Rank
}

/** What must be taken out: whole ranks, one after another, each from its oldest on. */
function expectedOf(held: readonly Held[], { most, order }: Extract<Step, { call: 'take' }>): number[] {
  const oldest = (of: Rank) => held.find((one) => one.rank === of)?.seq ?? Number.POSITIVE_INFINITY
  const ranks: Rank[] = [0, 1, 2]
  if (order === 'oldest first') ranks.sort((a, b) => oldest(a) - oldest(b))
  const sorted = ranks.flatMap((of) => held.filter((one) => one.rank === of))
  return sorted
    .slice(0, most)
    .map(({ seq }) => seq)
    .sort((a, b) => a - b)
}

describe('events that wait', () => {
  test('are kept by rank, and told in the order in which they came, whatever the calls', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const waiting = new Waiting()
        let held: Held[] = []
        steps.forEach((one, seq) => {
          if (one.call === 'add') {
            waiting.add(item(seq), one.rank)
            held.push({ seq, rank: one.rank })
          }
          if (one.call === 'evict') {
            // The oldest of what is worth least, unless that is worth more than what is new.
            const lowest = Math.max(...held.map((kept) => kept.rank))
            const may = held.length > 0 && (one.mustBeBelow ? lowest > one.rank : lowest >= one.rank)
            const lost = may ? held.find((kept) => kept.rank === lowest) : undefined
            expect(waiting.evict(one.rank, one.mustBeBelow)?.seq).toBe(lost?.seq)
            held = held.filter((kept) => kept !== lost)
          }
          if (one.call === 'take') {
            const expected = expectedOf(held, one)
            expect(numbers(waiting.take(one.most, one.order))).toEqual(expected)
            held = held.filter(({ seq: kept }) => !expected.includes(kept))
          }
          expect(waiting.size).toBe(held.length)
          expect(waiting.oldest).toBe(Math.min(...held.map((kept) => kept.seq)))
        })
      }),
      { numRuns: 300 },
    )
  })

  test('are all there, when there are thousands and some are always taken', () => {
    const waiting = new Waiting()
    const taken: number[] = []
    for (let seq = 0; seq < 5000; seq += 1) {
      waiting.add(item(seq), 2)
      if (seq % 2 === 0) taken.push(...numbers(waiting.take(1, 'by rank')))
    }
    while (waiting.size > 0) taken.push(...numbers(waiting.take(700, 'by rank')))
    expect(taken).toEqual(Array.from({ length: 5000 }, (_, seq) => seq))
  })
})
