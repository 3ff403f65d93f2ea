import type { Answer } from '@countersign/core'
import { drain } from '@countersign/core/body'
import { type Denied, problemAnswer, type Refusal } from '@countersign/core/gate-kit'
import type { Request } from 'express'
import { isEnded, type McpCredentialReason, type McpCredentialVerdict } from './reasons.js'
import { jsonBodyOf, readJsonBody } from './tools/json-body.js'

// JSON-RPC's range for errors of the server's own (JSON-RPC 2.0 §5.1), but for what the MCP SDKs use themselves.
const FORBIDDEN = -32_003
const ENDED = -32_004
// HeaderMismatch (MCP 2026-07-28): clients fetch the tools again and retry.
const HEADER_MISMATCH = -32_020
const WAIT =
  'The server cannot check the credential right now. Wait and retry this call. The credential is still valid.'

/** How refusals are told that an agent's own client may keep from its model. */
export interface ShapeOptions {
  readonly denyAs: 'http' | 'jsonrpc'
  readonly deadAs: 'http' | 'jsonrpc'
}

/** Puts a refusal into the words and the form that an agent acts on. */
export function shapeAnswer(
  answer: Answer,
  refusal: Refusal<McpCredentialReason>,
  request: Request,
  { denyAs, deadAs }: ShapeOptions,
): Answer {
  if (refusal.outcome === 'unavailable') return { ...answer, problem: { ...answer.problem, detail: WAIT } }
  if (refusal.outcome !== 'denied') return answer
  if (refusal.reason === 'header_mismatch') {
    const ids = requestIds(jsonBodyOf(request))
    return ids === undefined ? answer : jsonRpcAnswer(answer, refusal, ids, HEADER_MISMATCH, answer.status)
  }
  const isForbidden = refusal.reason === 'insufficient_scope'
  if ((isForbidden ? denyAs : deadAs) === 'http' || !(isForbidden || isEnded(refusal.reason))) return answer
  const body = jsonBodyOf(request)
  if (!isForbidden) {
    if (request.method === 'GET') return noStreams(answer)
    if (isNotification(body)) return accepted(answer)
  }
  const ids = requestIds(body)
  return ids === undefined ? answer : jsonRpcAnswer(answer, refusal, ids, isForbidden ? FORBIDDEN : ENDED)
}

/** Reads the body for the ids that the answer names. One that cannot be read is answered over HTTP. */
export async function readIds(
  verdict: McpCredentialVerdict,
  request: Request,
  maxBodyBytes: number,
): Promise<McpCredentialVerdict> {
  try {
    const body = await readJsonBody(request, maxBodyBytes)
    // What was read in part is nobody else's to discard.
    if (body.outcome === 'refused' && body.reason === 'body_too_large') drain(request)
  } catch {
    // Somebody else has read it.
  }
  return verdict
}

type Id = string | number

/** The ids of the requests in a body: one, or those of a batch. Undefined when no request expects a response. */
function requestIds(body: unknown): Id | readonly Id[] | undefined {
  const idOf = (message: unknown): Id | undefined => {
    const id = (message as { id?: unknown } | null | undefined)?.id
    return typeof id === 'string' || typeof id === 'number' ? id : undefined
  }
  if (!Array.isArray(body)) return idOf(body)
  const ids = body.map(idOf).filter((id) => id !== undefined)
  return ids.length === 0 ? undefined : ids
}

/** A message that no response is expected to, or a batch of them. */
function isNotification(body: unknown): boolean {
  const messages: readonly unknown[] = Array.isArray(body) ? body : [body]
  const isOne = (message: unknown) => {
    const { method, id } = (message ?? {}) as { method?: unknown; id?: unknown }
    return typeof method === 'string' && id === undefined
  }
  return messages.length > 0 && messages.every(isOne)
}

/** Taken, and not run. A 401 would send clients into an OAuth flow, after the call whose error told them why. */
function accepted({ problem }: Answer): Answer {
  return { status: 202, headers: { 'Cache-Control': 'no-store' }, problem, body: '' }
}

/** The transport's way to say that there is no stream to listen to: clients do without. A 401 begins an OAuth flow. */
function noStreams({ problem }: Answer): Answer {
  return problemAnswer(405, { detail: problem.detail ?? '' }, [], { Allow: 'POST' })
}

function jsonRpcAnswer(
  { problem }: Answer,
  { parameters = {} }: Denied<McpCredentialReason>,
  ids: Id | readonly Id[],
  code: number,
  status = 200,
): Answer {
  const data = { error: problem.error, ...parameters }
  const message = (id: Id) => ({ jsonrpc: '2.0', id, error: { code, message: problem.detail, data } })
  return {
    status,
    headers: { 'Cache-Control': 'no-store', 'Content-Type': 'application/json; charset=utf-8' },
    problem,
    body: JSON.stringify(Array.isArray(ids) ? ids.map(message) : message(ids as Id)),
  }
}
