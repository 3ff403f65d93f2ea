import type { Answer } from '@countersign/core'
import { problemAnswer, type Denied, type Unavailable } from '@countersign/core/gate-kit'
import type { Request } from 'express'
import type { McpCredentialDependency, McpCredentialReason } from '../reasons.js'

/** JSON-RPC's range for errors of the server's own (JSON-RPC 2.0 §5.1). */
const FORBIDDEN = -32_003
const WAIT = 'The server cannot check the credential right now. Wait and retry this call; the credential is still good.'

/** Refusals in the words and the form that an agent acts on. */
export function shapeAnswer(
  answer: Answer,
  verdict: Denied<McpCredentialReason> | Unavailable<McpCredentialDependency>,
  request: Request,
  denyAs: 'http' | 'jsonrpc',
): Answer {
  if (verdict.outcome === 'unavailable') {
    const retryAfter = answer.headers['Retry-After'] ?? '1'
    return problemAnswer(503, { detail: WAIT }, [], { 'Retry-After': retryAfter })
  }
  if (verdict.reason !== 'capability_missing' || denyAs === 'http') return answer
  const ids = requestIds(request.body)
  return ids === undefined ? answer : jsonRpcAnswer(answer, verdict, ids)
}

type Id = string | number

/** The ids of the requests in a body: one, or those of a batch. Undefined when there is nothing to answer to. */
function requestIds(body: unknown): Id | readonly Id[] | undefined {
  const idOf = (message: unknown): Id | undefined => {
    const id = (message as { id?: unknown } | null | undefined)?.id
    return typeof id === 'string' || typeof id === 'number' ? id : undefined
  }
  if (!Array.isArray(body)) return idOf(body)
  const ids = body.map(idOf).filter((id) => id !== undefined)
  return ids.length === 0 ? undefined : ids
}

function jsonRpcAnswer(answer: Answer, verdict: Denied<McpCredentialReason>, ids: Id | readonly Id[]): Answer {
  const { detail } = JSON.parse(answer.body) as { detail: string }
  const scope = verdict.parameters?.scope
  const message = (id: Id) => ({
    jsonrpc: '2.0',
    id,
    error: {
      code: FORBIDDEN,
      message: detail,
      data: { error: 'insufficient_scope', ...(scope === undefined ? {} : { scope }) },
    },
  })
  return {
    status: 200,
    headers: { 'Cache-Control': 'no-store', 'Content-Type': 'application/json; charset=utf-8' },
    body: JSON.stringify(Array.isArray(ids) ? ids.map(message) : message(ids as Id)),
  }
}
