import type { Case } from '../case.js'
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

/** The median over the processes of what each middleware costs beyond an empty one, and of how far two empty ones differ. */
export function rowsOf({ id, title }: Case, results: readonly (readonly Measured[])[]): Row[] {
  const isEmpty = ({ name }: Measured) => EMPTY.some((empty) => empty === name)
  const emptyOnes = (result: readonly Measured[], mode: Mode) => result.filter(isEmpty).map((one) => one[mode] ?? 0)
  const noise = (mode: Mode) =>
    median(
      results.map((result) => {
        const [first = 0, second = 0] = emptyOnes(result, mode)
        return Math.abs(first - second)
      }),
    )
  const added = (index: number, mode: Mode): number | undefined => {
    const all = results.flatMap((result) => {
      const [first = 0, second = 0] = emptyOnes(result, mode)
      const figure = result[index]?.[mode]
      return figure === undefined ? [] : [figure - (first + second) / 2]
    })
    return all.length === results.length ? median(all) : undefined
  }
  const noises = { noise: noise('inFlight'), noiseInOneTick: noise('inOneTick') }
  return (results[0] ?? []).flatMap((one, index) => {
    if (isEmpty(one)) return []
    const [inFlight, inOneTick] = [added(index, 'inFlight'), added(index, 'inOneTick')]
    const figures = {
      ...noises,
      ...(inFlight === undefined ? {} : { added: inFlight }),
      ...(inOneTick === undefined ? {} : { inOneTick }),
    }
    return [{ id, task: title, name: one.name, isOurs: one.isOurs, size: one.size, figures }]
  })
}
