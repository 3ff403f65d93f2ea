import type { RequestHandler } from 'express'
import type { Wire } from './wire.js'

/** One middleware under the same task as the others of its case. */
export interface Variant {
  readonly name: string
  readonly isOurs: boolean
  readonly handler: RequestHandler
  /** Requests that the handler lets through; made outside of what is measured. */
  readonly wires: (count: number) => readonly Wire[] | Promise<readonly Wire[]>
}

export interface Setup {
  readonly variants: readonly Variant[]
  close(): Promise<void>
}

/** One row of the table: a task, ours and the peers that do it. */
export interface Case {
  readonly id: string
  readonly title: string
  /** Requests in one slice, where making them costs more than they do. */
  readonly maxSlice?: number
  setup(): Promise<Setup>
}
