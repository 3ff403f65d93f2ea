import { hash } from 'node:crypto'
import type { AuditEvent } from '@countersign/core'
import { MAX_LINE_BYTES } from './split-lines.js'

/** What the first line of a file names as the line before it. */
export const GENESIS: string = '0'.repeat(64)

// Anchored at both ends, with one dot-star between constants: linear.
const LINE =
  /^(\{"chain":"([0-9a-f]{16})","previous":"([0-9a-f]{64})",(?:"after":"([0-9a-f]{64})",)?.*),"hash":"([0-9a-f]{64})"\}$/s
const START = /^\{"chain":"([0-9a-f]{16})","previous":"([0-9a-f]{64})",/
/** The start of a line; a 0 stands for any hexadecimal digit. */
const START_SHAPE = startOf('0'.repeat(16), GENESIS)
/** Characters before what a line tells of its event. */
export const START_LENGTH: number = START_SHAPE.length

/** Where a writer's next line follows. */
export interface ChainEnd {
  /** Sixteen hexadecimal digits: every opening of a file starts a chain of its own in it. */
  readonly chain: string
  /** The hash of the line before. */
  readonly previous: string
  /** In the first line of a chain that continues one in another file: the hash of the last line there. */
  readonly after?: string | undefined
}

/** What a line says about its chain: its own hash and the hash of the line before it. */
export interface ChainLink extends ChainEnd {
  /** The hash that the line says it has. */
  readonly hash: string
  /** Whether that is the hash of what the line holds. */
  readonly isTrue: boolean
}

/**
 * One event as a line of the chain. `hash` is the SHA-256 of the line's bytes before `,"hash"`, so that it covers
 * `previous` and any language can check it without a canonical form of JSON.
 */
export function chainLine(event: AuditEvent, end: ChainEnd): { readonly line: string; readonly hash: string } {
  const after = end.after === undefined ? '' : `"after":"${end.after}",`
  const body = `${startOf(end.chain, end.previous)}${after}${JSON.stringify(event).slice(1, -1)}`
  const own = hashOf(body)
  return { line: `${body},"hash":"${own}"}\n`, hash: own }
}

/** Reads a line without its newline; undefined for a line that is not ours or is cut short. Never throws. */
export function readLink(line: Buffer): ChainLink | undefined {
  const [, body, chain, previous, after, named] = LINE.exec(line.toString('latin1')) ?? []
  if (body === undefined || chain === undefined || previous === undefined || named === undefined) return undefined
  const isTrue = hashOf(line.subarray(0, body.length)) === named
  return { chain, previous, hash: named, isTrue, ...(after === undefined ? {} : { after }) }
}

/**
 * What a line names that was cut short: nothing when it was cut before that. Undefined when it cannot be the beginning of
 * one of ours. Whole JSON never is: it would be an event that somebody added, which no hash covers and every reader shows.
 */
export function readCutLine(line: Buffer): Partial<ChainEnd> | undefined {
  const text = line.toString('latin1')
  if (text === '' || text.length >= MAX_LINE_BYTES || isJson(text)) return undefined
  const [, chain, previous] = START.exec(text) ?? []
  if (chain !== undefined && previous !== undefined) return { chain, previous }
  return isStart(text) ? {} : undefined
}

/** Whether a text is the beginning of the start of some line. */
export function isStart(text: string): boolean {
  if (text.length > START_SHAPE.length) return false
  return Array.from(START_SHAPE.slice(0, text.length)).every((wanted, index) =>
    wanted === '0' ? /[0-9a-f]/.test(text.charAt(index)) : wanted === text[index],
  )
}

function startOf(chain: string, previous: string): string {
  return `{"chain":"${chain}","previous":"${previous}",`
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

function hashOf(body: string | Buffer): string {
  return hash('sha256', body, 'hex')
}
