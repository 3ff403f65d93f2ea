import type { Case } from '../case.js'
import { AGAIN } from '../cases/sizes.js'
import { EMPTY, type Measured } from '../measure.js'
import { askFreshProcess } from '../processes.js'
import { isWanted, type Options, type Row } from '../row.js'
import { median } from '../statistics.js'

/** Several fresh processes a case: each may settle in a lucky or an unlucky state. */
export async function* measureInProcess(cases: readonly Case[], options: Options): AsyncIterable<readonly Row[]> {
  for (const one of cases.filter(({ id }) => isWanted(options, id))) {
    const results: Measured[][] = []
    for (let index = 0; index < options.processes; index += 1) {
      results.push(await askFreshProcess('./child.ts', { id: one.id, rounds: options.rounds }))
    }
    yield rowsOf(one, results)
  }
}

type Mode = 'inFlight' | 'inOneTick'

const isEmpty = ({ name }: Measured) => EMPTY.some((empty) => empty === name)

/** What two of the same kind, of one process each time, differ by: the median over the processes. */
function difference(results: readonly (readonly Measured[])[], mode: Mode, is: (one: Measured) => boolean): number {
  return median(
    results.map((result) => {
      const [first = 0, second = 0] = result.filter(is).map((one) => one[mode] ?? 0)
      return Math.abs(first - second)
    }),
  )
}

/** The median over the processes of what one middleware costs beyond an empty one. */
function added(results: readonly (readonly Measured[])[], index: number, mode: Mode): number | undefined {
  const all = results.flatMap((result) => {
    const [first = 0, second = 0] = result.filter(isEmpty).map((one) => one[mode] ?? 0)
    const figure = result[index]?.[mode]
    return figure === undefined ? [] : [figure - (first + second) / 2]
  })
  return all.length === results.length ? median(all) : undefined
}

/** The figures of each variant, and the noise: of the empty ones, or of two equal ones of ours where there are two. */
function rowsOf({ id, title }: Case, results: readonly (readonly Measured[])[]): Row[] {
  const all = results[0] ?? []
  return all.flatMap((one, index) => {
    if (isEmpty(one)) return []
    const plain = (size: string | undefined) => size?.replace(AGAIN, '')
    const isTwin = ({ name, size }: Measured) => name === one.name && plain(size) === plain(one.size)
    const isEqual = one.size?.endsWith(AGAIN) ? isTwin : isEmpty
    const figures = {
      added: added(results, index, 'inFlight'),
      inOneTick: added(results, index, 'inOneTick'),
      noise: difference(results, 'inFlight', isEqual),
      noiseInOneTick: difference(results, 'inOneTick', isEqual),
      ...(one.redis === undefined
        ? {}
        : { redis: median(results.map((result) => result[index]?.redis ?? Number.NaN)) }),
    }
    return [{ id, task: title, name: one.name, isOurs: one.isOurs, size: one.size, figures }]
  })
}
