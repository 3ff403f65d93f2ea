import { expect } from '@jest/globals'
import { cpuMs } from './cpu-time.js'

/** The characters that some grammar here takes for something: one of each class, and those that open and close. */
const CHARACTERS: readonly string[] = [...' \t,;"\\=.%:az09AZ/?&+-_~#*@!$\'()[]{}<>\u00e9\u00ff\u00a0']

const SMALL = 8 * 1024
const LARGE = 64 * 1024
/** All times are of CPU. Below this a length of 64 KiB harms nobody: quadratic work on it takes seconds. */
const NEGLIGIBLE_MS = 15
/** Linear work takes 8 times as long, quadratic work 64 times. */
const MAX_RATIO = 24
const HOPELESS_MS = 1000
const ROUNDS = 9
const GROUPS = 150

/** Fills a length with a unit again and again. */
function fill(unit: string, length: number): string {
  // As one flat text, as it comes off the wire: not a tree of pieces.
  return Buffer.from(unit.repeat(Math.ceil(length / unit.length)).slice(0, length), 'utf8').toString('utf8')
}

/** What is measured: work on a text of about this length. A promise is not waited for. */
export type Parse = (text: string) => unknown
/** Puts a run into the place of a text where the parser meets it. */
export type Frame = (run: string) => string
/** A name, a parser, and where in its text the runs are. Default: they are all of it. */
export type ParserRow = readonly [name: string, parse: Parse, frames?: readonly Frame[]]

const ALONE: readonly Frame[] = [(run) => run]

/** Rows as Jest's `each` takes them. */
export function parsersOf(rows: readonly ParserRow[]): { name: string; parse: Parse; frames: readonly Frame[] }[] {
  return rows.map(([name, parse, frames = ALONE]) => ({ name, parse, frames }))
}

/** How many times as much 64 KiB take as 8 KiB do; 0 when they take next to nothing. */
function growth(parse: Parse, frame: Frame, unit: string): number {
  const large = frame(fill(unit, LARGE))
  let largeMs = cpuMs(() => parse(large))
  if (largeMs < NEGLIGIBLE_MS) return 0
  const small = frame(fill(unit, SMALL))
  let smallMs = Number.POSITIVE_INFINITY
  // By turns, the least of each: the first ones have the engine compile, and collect what others left, too.
  for (let round = 0; round < ROUNDS; round += 1) {
    smallMs = Math.min(
      smallMs,
      cpuMs(() => parse(small)),
    )
    // Nothing else makes milliseconds into seconds.
    if (largeMs > HOPELESS_MS) break
    largeMs = Math.min(
      largeMs,
      cpuMs(() => parse(large)),
    )
    if (largeMs < NEGLIGIBLE_MS) return 0
  }
  return largeMs / Math.max(smallMs, 0.001)
}

/** Expects time in proportion to the length, for a run of each character and of generated groups of characters. */
export function expectLinearTime(parse: Parse, frames: readonly Frame[] = ALONE, units = UNITS): void {
  const check = (unit: string) => {
    for (const frame of frames) {
      const first = growth(parse, frame, unit)
      // The collector's threads count, too, whatever they collect: what is not linear is not linear again.
      const ratio = first > MAX_RATIO ? Math.min(first, growth(parse, frame, unit)) : first
      if (ratio > MAX_RATIO) {
        expect(`64 KiB of ${JSON.stringify(unit)} in ${frame} take ${ratio.toFixed(0)} times as long as 8 KiB`).toBe('')
      }
    }
  }
  for (const unit of units) check(unit)
}

/** Groups of 2 to 4 characters, the same ones in each run of a test. */
function* groups(): Generator<string> {
  let state = 15
  const next = (below: number) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff
    return (state >>> 8) % below
  }
  for (let count = 0; count < GROUPS; count += 1) {
    yield Array.from({ length: 2 + next(3) }, () => CHARACTERS[next(CHARACTERS.length)]).join('')
  }
}

const UNITS: readonly string[] = [...CHARACTERS, ...groups()]
