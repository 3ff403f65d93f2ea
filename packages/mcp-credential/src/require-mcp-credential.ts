import { audit, type Gate } from '@countersign/core'
import { drain } from '@countersign/core/body'
import { andThen, type Denied, defineGate, denied, isUpgrade } from '@countersign/core/gate-kit'
import { type AuthInfo, authInfoOf } from '@countersign/core/mcp-sdk'
import type { Request } from 'express'
import { isStoreOutage, waitForStore } from './first-calls.js'
import { type RequireMcpCredentialOptions, resolveGateOptions } from './options.js'
import type { McpCredentialPrincipal } from './principal.js'
import { hasOwnToken, holdsOwnToken, readLoneToken, readToken } from './read.js'
import {
  challengeOf,
  isEnded,
  type McpCredentialDependency,
  type McpCredentialReason,
  type McpCredentialVerdict,
  reasons,
} from './reasons.js'
import { credentialEvents } from './registry/events.js'
import { sessionBindingsOf } from './sessions/session-bindings.js'
import { streamWatchOf } from './sessions/stream-watch.js'
import { readIds, shapeAnswer } from './shape-answer.js'
import { stripAuthorization } from './strip-authorization.js'
import { idInToken } from './token.js'
import { demandAnonymous, demandTools } from './tools/demand-tools.js'
import { filterTools } from './tools/filter-tools.js'
import { verifyToken } from './verify.js'

type AnonymousRefusal = Denied<McpCredentialReason> | undefined

/** The gate of {@link requireMcpCredential}. */
export interface McpCredentialGate extends Gate<McpCredentialPrincipal> {
  /** The tools that a holder of these capabilities may call: for the answer to `tools/list`. */
  filterTools<T extends { readonly name: string }>(tools: readonly T[], capabilities: readonly string[]): T[]
}

/**
 * Requires a credential that this app issued for an agent session. Attaches {@link McpCredentialPrincipal}, and
 * `req.auth` for the MCP SDK. Answers 401 when it is not valid, with the reason when its secret is proven; 403 when it
 * may not call the tool; 404 when it names a session of another thread; 400, 413 or 415 when `tools` is set and the body
 * cannot be read; 503 when the store cannot be asked: at once, or after 3 s for the first calls of an agent.
 *
 * @throws {OptionError} at creation.
 * @example
 * app.post('/mcp', requireMcpCredential({ credentials, tools: { 'preview_*': 'preview' } }), handler)
 */
export function requireMcpCredential(options: RequireMcpCredentialOptions): McpCredentialGate {
  const resolved = resolveGateOptions(options)
  const { credentials, capabilitiesOf, anonymousCapabilities, maxBodyBytes } = resolved
  const { bindSessions, stripHeader, attachAuthInfo, denyAs, deadAs, recheckMs, maxStreams } = resolved
  const { prefix } = credentials
  const demands = capabilitiesOf && { capabilitiesOf, maxBodyBytes, prefix }
  const sessions = sessionBindingsOf(credentials)
  const streams = streamWatchOf(credentials, credentialEvents(resolved.audit ?? audit))

  /** What a refusal needs of its request: time, or the ids of its calls. */
  function afterVerdict(verdict: McpCredentialVerdict, token: string, request: Request) {
    if (isStoreOutage(verdict)) return waitForStore(verdict, request, () => verifyToken(token, credentials))
    const needsIds = deadAs === 'jsonrpc' && verdict.outcome === 'denied' && isEnded(verdict.reason)
    return needsIds ? readIds(verdict, request, maxBodyBytes) : verdict
  }

  const gate = defineGate<string, McpCredentialPrincipal, McpCredentialReason, McpCredentialDependency>({
    name: 'mcp-credential',
    middleware: 'requireMcpCredential',
    reads: ['authorization'],
    recognises: 'own',
    owns: (request) => hasOwnToken(request, prefix),
    read: (request) => readToken(request, prefix),
    verify(token, request) {
      const verdict = verifyToken(token, credentials)
      return request === undefined ? verdict : andThen(verdict, (first) => afterVerdict(first, token, request))
    },
    demand(verdict, _token, request) {
      if (request === undefined) return verdict
      const meetTools = () => (demands === undefined ? verdict : demandTools(request, verdict, demands))
      if (!bindSessions) return meetTools()
      return andThen<boolean, McpCredentialVerdict>(
        sessions.admits(request, request.res, verdict.principal.threadId),
        (isOwn) => (isOwn ? meetTools() : denied('session_mismatch', { detail: verdict.detail })),
      )
    },
    anonymous(request) {
      const meetTools = () => demands && demandAnonymous(request, anonymousCapabilities, demands)
      if (!bindSessions) return meetTools()
      return andThen<boolean, AnonymousRefusal>(sessions.admits(request, request.res, undefined), (isOwn) =>
        isOwn ? meetTools() : denied('session_mismatch'),
      )
    },
    decided(verdict, token, request) {
      // A body that was read in part is nobody else's to discard.
      if (verdict.outcome === 'denied' && verdict.reason === 'body_too_large') drain(request)
      // What could not be read is a secret all the same, and handlers may follow: `onDenied: 'next'`.
      if (stripHeader && (token !== undefined || holdsOwnToken(request, prefix))) stripAuthorization(request)
      if (token === undefined) return
      const isGranted = verdict.outcome === 'granted'
      if (attachAuthInfo)
        (request as { auth?: AuthInfo | undefined }).auth = isGranted ? authInfoOf(verdict.principal) : undefined
      if (!isGranted) return
      // By the id in the token: an alias may be revoked without the credential that it stands for. Whatever the request
      // accepts: the handler decides whether it streams.
      const stream = isUpgrade(request) ? request.socket : request.res
      if (stream !== undefined) streams.watch(stream, idInToken(prefix, token), recheckMs, maxStreams)
    },
    verifier: credentials,
    dependencies: ['credential_store', 'liveness'],
    reasons,
    challenge: challengeOf,
    shape: (answer, refusal, request) => shapeAnswer(answer, refusal, request, { denyAs, deadAs }),
    withoutRequest: {
      read: (token) => readLoneToken(token, prefix),
      impossible: capabilitiesOf !== undefined ? 'tools' : bindSessions ? 'bindSessions' : undefined,
    },
    needsBody: capabilitiesOf && 'tools',
    options: resolved,
  })
  return Object.assign(gate, {
    filterTools: <T extends { readonly name: string }>(tools: readonly T[], capabilities: readonly string[]) =>
      filterTools(tools, capabilities, capabilitiesOf),
  })
}
