import type { Answer } from '@countersign/core'
import type { Denied, Refusal } from '@countersign/core/gate-kit'
import type { Request } from 'express'
import type { McpCredentialReason } from './reasons.js'
import { jsonBodyOf } from './tools/json-body.js'

/** JSON-RPC's range for errors of the server's own (JSON-RPC 2.0 §5.1). */
const FORBIDDEN = -32_003
const WAIT =
  'The server cannot check the credential right now. Wait and retry this call. The credential is still valid.'

/** Puts a refusal into the words and the form that an agent acts on. */
export function shapeAnswer(
  answer: Answer,
  refusal: Refusal<McpCredentialReason>,
  request: Request,
  denyAs: 'http' | 'jsonrpc',
): Answer {
  if (refusal.outcome === 'unavailable') return { ...answer, problem: { ...answer.problem, detail: WAIT } }
  if (refusal.outcome !== 'denied' || refusal.reason !== 'insufficient_scope' || denyAs === 'http') return answer
  const ids = requestIds(jsonBodyOf(request))
  return ids === undefined ? answer : jsonRpcAnswer(answer, refusal, ids)
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

function jsonRpcAnswer(
  { problem }: Answer,
  { parameters = {} }: Denied<McpCredentialReason>,
  ids: Id | readonly Id[],
): Answer {
  const data = { error: problem.error, ...parameters }
  const message = (id: Id) => ({ jsonrpc: '2.0', id, error: { code: FORBIDDEN, message: problem.detail, data } })
  return {
    status: 200,
    headers: { 'Cache-Control': 'no-store', 'Content-Type': 'application/json; charset=utf-8' },
    problem,
    body: JSON.stringify(Array.isArray(ids) ? ids.map(message) : message(ids as Id)),
  }
}
