import type { Row } from '../row.js'

/** A ratio that the page tells: ours divided by a peer, or a size by the smallest. */
export interface Ratio {
  readonly own: string
  readonly value: number
}

/** Each of ours of the same task and size, divided by this peer. Below 1, ours is cheaper. */
export function ratiosTo(peer: Row, rows: readonly Row[], key: string): Ratio[] {
  if (peer.isOurs) return []
  return rows
    .filter((row) => row.isOurs && row.id === peer.id && row.size === peer.size)
    .flatMap((row) => {
      const value = quotient(row.figures[key], peer.figures[key], noiseOf(peer, key))
      return value === undefined ? [] : [{ own: row.name, value }]
    })
}

/** The cost at this row's size divided by that of the same middleware at the first size. */
export function toSmallest(row: Row, rows: readonly Row[], key: string): number | undefined {
  const first = rows.find(({ id, name }) => id === row.id && name === row.name)
  return first === undefined || first.size === row.size
    ? undefined
    : quotient(row.figures[key], first.figures[key], noiseOf(first, key))
}

/** Undefined where it would say nothing: without a figure, or divided by one that is lost in the noise. */
export function quotient(figure: number | undefined, by: number | undefined, noise = 0): number | undefined {
  return figure === undefined || by === undefined || !(by > noise) ? undefined : figure / by
}

export const noiseOf = ({ figures }: Row, key: string): number | undefined =>
  key === 'added' ? figures.noise : key === 'inOneTick' ? figures.noiseInOneTick : undefined
