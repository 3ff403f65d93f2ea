import type { Verdict } from './verdict.js'

/** One step of a decision, with the reasons and dependencies that end a decision there. */
export interface DecisionStep {
  /** What is checked, as a noun phrase: `signature`, `audience`. */
  readonly step: string
  readonly endings: readonly string[]
}

/** A step of one decision. */
export interface ExplainedStep {
  readonly step: string
  readonly outcome: 'passed' | 'failed' | 'unknown' | 'not_reached'
}

/** A verdict, and how far the decision came. */
export interface Explanation<V extends Verdict = Verdict> {
  readonly verdict: V
  readonly steps: readonly ExplainedStep[]
}

/**
 * Derives the steps of a decision from its verdict: those before the one that ended it passed. The verdict is the gate's own,
 * so an explanation can never differ from the gate.
 *
 * @throws {TypeError} when no step ends with the verdict's reason or dependency.
 */
export function explain<V extends Verdict>(verdict: V, steps: readonly DecisionStep[]): Explanation<V> {
  if (verdict.outcome === 'granted') return { verdict, steps: steps.map(({ step }) => ({ step, outcome: 'passed' })) }
  const ending = verdict.outcome === 'denied' ? verdict.reason : verdict.dependency
  const last = steps.findIndex(({ endings }) => endings.includes(ending))
  if (last === -1) throw new TypeError(`no step of the decision ends with "${ending}"`)
  const end = verdict.outcome === 'denied' ? 'failed' : 'unknown'
  return {
    verdict,
    steps: steps.map(({ step }, index) => ({
      step,
      outcome: index < last ? 'passed' : index === last ? end : 'not_reached',
    })),
  }
}
