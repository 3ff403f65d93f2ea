import { createReadStream } from 'node:fs'
import { type ChainLink, GENESIS, readCutLine, readLink } from './chain.js'
import { splitLines } from './split-lines.js'

/** One chain of a file: what one process wrote from one opening of the file to the next. */
export interface JsonlChain {
  readonly id: string
  /** Whole lines. */
  readonly lines: number
  /** The hash of the last of them. */
  readonly head: string
  /** Where it continues what was written to another file, before a rotation: the hash of the last line there. */
  readonly after?: string
}

/** What {@link verifyJsonl} found. */
export interface JsonlVerification {
  /** True when no line was altered, added to a chain or taken out of it. A line that a crash cut short is not an alteration. */
  readonly isIntact: boolean
  /** Whole lines that are part of a chain, up to the first alteration. */
  readonly lines: number
  /** The hash of the last of them. Store it elsewhere from time to time: rewriting the whole file cannot undo that. */
  readonly head: string
  /** Every chain of the file, in the order of their first lines. */
  readonly chains: readonly JsonlChain[]
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
  /** A hash that was noted before, as a head or by `onHead` of the sink: the file must still hold it, or continue it. */
  readonly expect?: string
  /** Called with the number of each line that was read: a long file takes a while. */
  readonly onLine?: (line: number) => void
}

interface Chain {
  id: string
  lines: number
  head: string
  headLine: number
  after?: string
}

interface Reader {
  line: number
  lines: number
  head: string
  headLine: number
  readonly chains: Map<string, Chain>
  /** Hashes of the last lines: a chain starts after one of them, written while other processes wrote too. */
  readonly recent: Set<string>
  readonly torn: number[]
  /** Lines that look cut short or are empty, until a whole one tells whether a crash or a person made them so. */
  doubtful: Doubt[]
  /**
   * Chains that go on in a file that was truncated before one of their writes, by the line before that write. The writer
   * notices, and names that line in the chain that it then starts. When it never does, lines before these were taken out.
   */
  readonly moved: Map<string, Pick<JsonlVerification, 'lines' | 'head'> & { readonly altered: Alteration }>
}

interface Doubt {
  readonly line: number
  readonly chain: string | undefined
  /** A process that finds another one's line unfinished begins its own on a new line, and that one may go on. */
  readonly isEmpty: boolean
}

type Alteration = NonNullable<JsonlVerification['altered']>

/** As many lines as others may write between the opening of a file and the first line there. */
const RECENT = 65_536
/** As many writers as may be in the middle of a write when a file is truncated. */
const MAX_MOVED = 256

/**
 * Reads an audit file and follows the chains in it: names the first line that was altered, and the lines that a crash cut
 * short. Rejects when the file cannot be read.
 */
export async function verifyJsonl(path: string, options: VerifyJsonlOptions = {}): Promise<JsonlVerification> {
  const { expect, onLine } = options
  const reader: Reader = {
    line: 0,
    lines: 0,
    head: GENESIS,
    headLine: 0,
    chains: new Map(),
    recent: new Set(),
    torn: [],
    doubtful: [],
    moved: new Map(),
  }
  let isFound = expect === undefined || expect === GENESIS
  let altered: Alteration | undefined
  for await (const { bytes } of splitLines(createReadStream(path))) {
    reader.line += 1
    const link = readLink(bytes)
    altered = link === undefined ? followCut(reader, bytes) : followLink(reader, link)
    if (altered !== undefined) break
    onLine?.(reader.line)
    isFound ||= link?.hash === expect || link?.after === expect
  }
  if (altered === undefined) accept(reader, reader.doubtful)
  if (altered === undefined && !isFound) altered = { line: reader.line + 1, problem: HEAD_GONE }
  const [gone] = reader.moved.values()
  altered = gone?.altered ?? altered
  const { torn } = reader
  const { lines, head } = gone ?? reader
  const chains = Array.from(reader.chains.values(), ({ headLine, ...chain }) => chain)
  const isIntact = altered === undefined
  return { isIntact, lines, head, chains, torn: torn.sort((a, b) => a - b), ...(altered && { altered }) }
}

/** A line that is not whole. */
function followCut(reader: Reader, bytes: Buffer): Alteration | undefined {
  const isEmpty = bytes.length === 0
  const cut = isEmpty ? {} : readCutLine(bytes)
  if (cut === undefined || (cut.chain !== undefined && !continues(reader, cut.chain, cut.previous))) {
    return { line: reader.doubtful[0]?.line ?? reader.line, problem: NO_EVENT }
  }
  // A full disk tears one line after the other.
  reader.doubtful.push({ line: reader.line, chain: cut.chain, isEmpty })
  return undefined
}

/** Whether a chain continues with a line that names this one before it; one that is not known yet starts with it. */
function continues({ chains, recent }: Reader, chain: string, previous: string | undefined): boolean {
  const known = chains.get(chain)
  if (known !== undefined) return known.head === previous
  return previous === GENESIS || (previous !== undefined && recent.has(previous))
}

function followLink(reader: Reader, link: ChainLink): Alteration | undefined {
  const known = reader.chains.get(link.chain)
  const isOfIt = ({ chain }: Doubt) => chain === undefined || chain === link.chain
  if (!continues(reader, link.chain, link.previous)) {
    // What is written after a torn line names the whole line before that as the one before it.
    const doubt = reader.doubtful.find((one) => known === undefined || isOfIt(one))
    if (doubt !== undefined) return { line: doubt.line, problem: NO_EVENT }
    if (!link.isTrue) return { line: reader.line, problem: NOT_ITS_HASH }
    const { headLine } = known ?? reader
    const altered = { line: Math.max(1, headLine), problem: `line ${reader.line} ${NOT_AS_RECORDED}` }
    if (known !== undefined || reader.moved.size >= MAX_MOVED) return altered
    const { lines, head } = reader
    if (!reader.moved.has(link.previous)) reader.moved.set(link.previous, { lines, head, altered })
  }
  accept(reader, reader.doubtful.filter(isOfIt))
  reader.doubtful = reader.doubtful.filter((one) => !isOfIt(one))
  if (!link.isTrue) return { line: reader.line, problem: NOT_ITS_HASH }
  take(reader, link, known)
  return undefined
}

function accept({ torn }: Reader, doubts: readonly Doubt[]): void {
  for (const { line, isEmpty } of doubts) if (!isEmpty) torn.push(line)
}

function take(reader: Reader, { chain: id, hash, after }: ChainLink, known: Chain | undefined): void {
  const chain = known ?? { id, lines: 0, head: hash, headLine: 0, ...(after === undefined ? {} : { after }) }
  if (known === undefined) reader.chains.set(id, chain)
  if (known === undefined && after !== undefined) reader.moved.delete(after)
  chain.lines += 1
  chain.head = hash
  chain.headLine = reader.line
  reader.lines += 1
  reader.head = hash
  reader.headLine = reader.line
  reader.recent.add(hash)
  if (reader.recent.size > RECENT) reader.recent.delete(reader.recent.values().next().value as string)
}

const NO_EVENT = 'is not an event of the chain'
const NOT_ITS_HASH = 'does not have the hash that it names'
const NOT_AS_RECORDED = 'names another line before it: that line was altered, or lines between them were removed'
const HEAD_GONE = 'the file does not contain the expected hash: its end was cut off or rewritten'
