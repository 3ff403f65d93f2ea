// The tests import their functions from Jest; Vitest has the same ones.
import { describe as vitestDescribe, test as vitestTest } from 'vitest'

export { afterAll, afterEach, beforeAll, beforeEach, expect, vi as jest } from 'vitest'

/** What measures time or memory says nothing of a mutant, and takes most of the time. */
const MEASURES = /grows? with|linear|takes as long|up to a million/

function unlessMeasured(title, ...rest) {
  return MEASURES.test(title) ? vitestTest.skip(title, ...rest) : vitestTest(title, ...rest)
}
export const test = Object.assign(unlessMeasured, { each: vitestTest.each.bind(vitestTest) })

/** Of the stores that a suite runs on, a mutant needs those that the part names: `memory`, unless it says otherwise. */
const stores = process.env.MUTATION_STORES?.split(',') ?? ['memory']
const isChosen = (one) => typeof one?.fresh !== 'function' || stores.includes(one.name)

export const describe = Object.assign((...given) => vitestDescribe(...given), {
  each: (cases, ...rest) => vitestDescribe.each(Array.isArray(cases) ? cases.filter(isChosen) : cases, ...rest),
})
