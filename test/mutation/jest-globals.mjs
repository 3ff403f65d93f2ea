// The tests import their functions from Jest; Vitest has the same ones.
import { test as vitestTest } from 'vitest'

export { afterAll, afterEach, beforeAll, beforeEach, describe, expect, vi as jest } from 'vitest'

/** What measures time says nothing of a mutant, and takes most of the time. */
const MEASURES_TIME = /grows? with|linear/

function unlessMeasured(title, ...rest) {
  return MEASURES_TIME.test(title) ? vitestTest.skip(title, ...rest) : vitestTest(title, ...rest)
}
export const test = Object.assign(unlessMeasured, { each: vitestTest.each.bind(vitestTest) })
