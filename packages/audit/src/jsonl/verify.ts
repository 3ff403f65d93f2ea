import { createReadStream } from 'node:fs'
import { type ChainLink, GENESIS, isCutShort, readLink } from './chain.js'
import { splitLines } from './split-lines.js'

/** What {@link verifyJsonl} found. */
export interface JsonlVerification {
  /** True when no line was altered, added or taken out. A line that a crash cut short is not an alteration. */
  readonly isIntact: boolean
  /** Whole lines that are part of the chain, up to the first alteration. */
  readonly lines: number
  /** The hash of the last of them. Store it elsewhere from time to time: rewriting the whole file cannot undo that. */
  readonly head: string
  /**
   * Lines that were cut short, counted from 1: at the end, or where the file was opened again. No hash covers what they
   * hold, but none of them is an event: a JSON reader rejects it.
   */
  readonly torn: readonly number[]
  /** The first line that is not as it was written, and in which way. */
  readonly altered?: { readonly line: number; readonly problem: string }
}

/** Options of {@link verifyJsonl}. */
export interface VerifyJsonlOptions {
  /** A head that was noted before: the chain must still hold it. */
  readonly head?: string
  /** Called with the number of each line that was read: a long file takes a while. */
  readonly onLine?: (line: number) => void
}

interface Reader {
  line: number
  lines: number
  head: string
  headLine: number
  torn: number[]
  /** Lines that look cut short, until the next whole one tells whether a crash or a person made them so. */
  doubtful: number[]
}

type Alteration = NonNullable<JsonlVerification['altered']>

/**
 * Reads an audit file and follows its chain: names the first line that was altered, and the lines that a crash cut
 * short. Rejects when the file cannot be read.
 */
export async function verifyJsonl(path: string, options: VerifyJsonlOptions = {}): Promise<JsonlVerification> {
  const reader: Reader = { line: 0, lines: 0, head: GENESIS, headLine: 0, torn: [], doubtful: [] }
  const wanted = options.head
  let isFound = wanted === undefined || wanted === GENESIS
  let altered: Alteration | undefined
  for await (const { bytes } of splitLines(createReadStream(path))) {
    altered = follow(reader, bytes)
    if (altered !== undefined) break
    options.onLine?.(reader.line)
    isFound ||= reader.head === wanted
  }
  if (altered === undefined) reader.torn.push(...reader.doubtful)
  if (altered === undefined && !isFound) altered = { line: reader.line + 1, problem: HEAD_GONE }
  const { lines, head, torn } = reader
  return { isIntact: altered === undefined, lines, head, torn, ...(altered === undefined ? {} : { altered }) }
}

function follow(reader: Reader, bytes: Buffer): Alteration | undefined {
  reader.line += 1
  const link = readLink(bytes)
  if (link !== undefined) return followLink(reader, link)
  if (!isCutShort(bytes, reader.head)) return { line: reader.doubtful[0] ?? reader.line, problem: NO_EVENT }
  // A full disk tears one line after the other.
  reader.doubtful.push(reader.line)
  return undefined
}

function followLink(reader: Reader, link: ChainLink): Alteration | undefined {
  // What the sink writes after a torn line names the whole line before that as the one before it.
  if (link.previous !== reader.head) {
    if (reader.doubtful[0] !== undefined) return { line: reader.doubtful[0], problem: NO_EVENT }
    if (!link.isTrue) return { line: reader.line, problem: NOT_ITS_HASH }
    return { line: Math.max(1, reader.headLine), problem: `line ${reader.line} ${NOT_AS_RECORDED}` }
  }
  reader.torn.push(...reader.doubtful.splice(0))
  if (!link.isTrue) return { line: reader.line, problem: NOT_ITS_HASH }
  reader.lines += 1
  reader.head = link.hash
  reader.headLine = reader.line
  return undefined
}

const NO_EVENT = 'is not an event of the chain'
const NOT_ITS_HASH = 'does not have the hash that it names'
const NOT_AS_RECORDED = 'names another line before it: that one was altered, or lines between them were taken out'
const HEAD_GONE = 'the chain does not hold the head that was noted: its end was cut off or rewritten'
