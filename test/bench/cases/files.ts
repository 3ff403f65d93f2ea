export const WRITERS = ['jsonl', 'jsonl required', 'pino, buffered', 'pino, each line'] as const
export const PACES = ['as fast as it goes', '100,000 a second'] as const

/** Who writes the events of one process into a file, and how fast they come. */
export interface FileJob {
  readonly writer: (typeof WRITERS)[number]
  readonly pace: (typeof PACES)[number]
}

export interface FileFigures {
  readonly perSecond: number
  /** µs of CPU for each event, all threads counted. */
  readonly micros: number
  /** Events that are not in the file, nor refused. */
  readonly lost: number
  /** Events that a required sink did not take: a gate answers 503 then. */
  readonly refused: number
}
