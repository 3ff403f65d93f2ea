import type { Request } from 'express'
import type { McpCredentialVerdict } from './reasons.js'
import { readJsonBody } from './tools/json-body.js'

/** What an agent asks when it starts, in each revision of MCP. After two refusals Claude Code does without the server. */
const FIRST_CALLS: ReadonlySet<unknown> = new Set(['initialize', 'server/discover', 'tools/list'])
const MAX_WAIT_MS = 3000
/** Of a process. What is beyond is answered at once: an outage must not fill the memory. */
const MAX_WAITING = 64
const MAX_BODY_BYTES = 64 * 1024
const PAUSE_MS = 100

let waiting = 0

/**
 * Lets the first calls of an agent wait for a store that is coming back: for 3 s at most, and 64 of a process. Anything
 * else is answered at once. Only a token with our prefix and a right checksum gets here, because no other one is looked up.
 */
export async function waitForStore(
  verdict: McpCredentialVerdict,
  request: Request,
  ask: () => McpCredentialVerdict | Promise<McpCredentialVerdict>,
): Promise<McpCredentialVerdict> {
  if (waiting >= MAX_WAITING || !isSmall(request)) return verdict
  waiting += 1
  const deadline = after(MAX_WAIT_MS)
  try {
    // The body of one who has proven nothing: it has no more time than the store has.
    if ((await Promise.race([isFirstCall(request), deadline.passed])) !== true) return verdict
    return await askAgain(verdict, request, ask, deadline)
  } finally {
    waiting -= 1
    deadline.end()
  }
}

async function askAgain(
  verdict: McpCredentialVerdict,
  request: Request,
  ask: () => McpCredentialVerdict | Promise<McpCredentialVerdict>,
  deadline: Deadline,
): Promise<McpCredentialVerdict> {
  while (!request.socket.destroyed) {
    if ((await Promise.race([pause(), deadline.passed])) === 'passed') break
    const asked = await Promise.race([ask(), deadline.passed])
    if (asked === 'passed') break
    if (!isStoreOutage(asked)) return asked
  }
  return verdict
}

/** Whether the store could not be asked. */
export function isStoreOutage(verdict: McpCredentialVerdict): boolean {
  return verdict.outcome === 'unavailable' && verdict.dependency === 'credential_store'
}

/** By what it declares: what is longer is not read, in no part. */
function isSmall({ method, headers }: Request): boolean {
  const length = headers['content-length']
  return method === 'POST' && length !== undefined && Number(length) <= MAX_BODY_BYTES
}

async function isFirstCall(request: Request): Promise<boolean> {
  try {
    const body = await readJsonBody(request, MAX_BODY_BYTES)
    if (body.outcome === 'refused' || body.values.length === 0) return false
    return body.values.every((value) => FIRST_CALLS.has((value as { method?: unknown } | null)?.method))
  } catch {
    // Somebody else has read it: the answer is that of the outage.
    return false
  }
}

interface Deadline {
  readonly passed: Promise<'passed'>
  end(): void
}

function after(ms: number): Deadline {
  let timer: NodeJS.Timeout | undefined
  const passed = new Promise<'passed'>((resolve) => {
    timer = setTimeout(resolve, ms, 'passed')
  })
  return { passed, end: () => clearTimeout(timer) }
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
}
