/** The major version of Node that the pages are about; others stand beside it. */
export const REFERENCE = 24

/** One measured thing: a middleware, at a size where something grows, under one task. */
export interface Row {
  /** The case's id. */
  readonly id: string
  readonly task: string
  readonly name: string
  readonly isOurs: boolean
  readonly size?: string | undefined
  /** By the keys of the section's columns; what could not be measured is not there. */
  readonly figures: Readonly<Record<string, number | undefined>>
}

export interface Column {
  readonly key: string
  readonly title: string
}

export interface Options {
  readonly processes: number
  readonly rounds: number
  /** Beginnings of the ids of the cases that are wanted; none means all. */
  readonly only: readonly string[]
}

/** A part of the page that is measured on its own. */
export interface Section {
  readonly id: string
  readonly title: string
  /** Whether it is measured under other versions of Node, too. */
  readonly isBeside?: boolean
  /** Markdown: what is measured, and how. */
  readonly about: string
  readonly columns: readonly Column[]
  /** The column of which ours is divided by the peers', and each size by the smallest; none where that says nothing. */
  readonly compared?: string
  /** Printed below a table. */
  note?(rows: readonly Row[]): string
  /** Gives the rows of one task after the other. */
  measure(options: Options): AsyncIterable<readonly Row[]>
}

export const isWanted = ({ only }: Options, id: string): boolean =>
  only.length === 0 || only.some((beginning) => id.startsWith(beginning))
