import { hash } from 'node:crypto'
import type { AuditEvent } from '@countersign/core'
import { MAX_LINE_BYTES } from './split-lines.js'

/** What the first line of a file names as the line before it. */
export const GENESIS: string = '0'.repeat(64)

// Anchored at both ends, with one dot-star between constants: linear.
const LINE = /^(\{"previous":"([0-9a-f]{64})",.*),"hash":"([0-9a-f]{64})"\}$/s

/** What a line says about the chain: its own hash and the hash of the line before it. */
export interface ChainLink {
  /** The hash of the line before. */
  readonly previous: string
  /** The hash that the line says it has. */
  readonly hash: string
  /** Whether that is the hash of what the line holds. */
  readonly isTrue: boolean
}

/**
 * One event as a line of the chain. `hash` is the SHA-256 of the line's bytes before `,"hash"`, so that it covers
 * `previous` and any language can check it without a canonical form of JSON.
 */
export function chainLine(event: AuditEvent, previous: string): { readonly line: string; readonly hash: string } {
  const body = `${startAfter(previous)}${JSON.stringify(event).slice(1, -1)}`
  const own = hashOf(body)
  return { line: `${body},"hash":"${own}"}\n`, hash: own }
}

/** Reads a line without its newline; undefined for a line that is not ours or is cut short. Never throws. */
export function readLink(line: Buffer): ChainLink | undefined {
  const [, body, previous, named] = LINE.exec(line.toString('latin1')) ?? []
  if (body === undefined || previous === undefined || named === undefined) return undefined
  return { previous, hash: named, isTrue: hashOf(line.subarray(0, body.length)) === named }
}

/**
 * Whether a line may be the beginning of the one that follows the line whose hash is `head`. Whole JSON never is: it
 * would be an event that somebody added, which no hash covers and every reader shows.
 */
export function isCutShort(line: Buffer, head: string): boolean {
  const text = line.toString('latin1')
  const start = startAfter(head)
  const isOurs = text.length < start.length ? start.startsWith(text) : text.startsWith(start)
  return isOurs && text !== '' && text.length < MAX_LINE_BYTES && !isJson(text)
}

function startAfter(previous: string): string {
  return `{"previous":"${previous}",`
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
