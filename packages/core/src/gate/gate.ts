import type { Request, RequestHandler } from 'express'
import type { Audit } from '../audit/emitter.js'
import type { Clock } from '../clock.js'
import { CodedTypeError } from '../errors.js'
import type { Middleware } from '../middleware.js'
import type { Answer } from './answer.js'
import type { Challenge } from './challenge.js'
import { type Exit, ExpressExit } from './exit.js'
import type { GateOptions } from './gate-options.js'
import type { PrincipalBase } from './principal.js'
import type { ReasonTable } from './reasons.js'
import { listenForUpgrades, type UpgradeListener, type UpgradeServer } from './upgrade.js'
import type { Denied, Granted, Refusal, Verdict } from './verdict.js'

/** What a gate supplies: how it reads, how it verifies, and what its reasons mean. {@link defineGate} does the rest. */
export interface GateDefinition<C, P extends PrincipalBase, R extends string, D extends string> {
  /** The kind of the gate: in events, on the gate, and of its principals. */
  readonly name: string
  /** The function that makes the gate: the handler's name in stack traces, and the name in messages. */
  readonly middleware: string
  /** The header fields that credentials are read from, in lower case. */
  readonly reads: readonly string[]
  /** `'own'` when `read` takes up only credentials with a mark of the gate's own, such as a prefix. Default `'any'`. */
  readonly recognises?: 'own' | 'any' | undefined
  /**
   * Whether a presented credential has the mark of a gate that recognises its own: in `firstPresented`, one without goes to a
   * later gate of the same header. Default: whatever is presented has.
   */
  readonly owns?: ((request: Request) => boolean) | undefined
  /**
   * The credential that a request presents, or why it cannot be used. Undefined, or `denied('missing', …)`, when nothing is
   * presented that could be meant for this gate. Must not change the request.
   */
  readonly read: (request: Request) => C | Denied<R> | undefined
  /**
   * Authenticates a credential. A verdict that is already known is returned in the same tick. `request` is undefined when
   * an adapter hands over a token alone; then `withoutRequest` is set.
   */
  readonly verify: (credential: C, request: Request | undefined) => Verdict<P, R, D> | Promise<Verdict<P, R, D>>
  /**
   * What the gate demands beyond authentication: scopes, tools, age, CSRF. Runs for every gate and every time, on what was
   * remembered of this request, too. Returns the verdict, with its principal, and more detail if there is more to tell.
   */
  readonly demand?:
    | ((
        verdict: Granted<P>,
        credential: C,
        request: Request | undefined,
      ) => Verdict<P, R, D> | Promise<Verdict<P, R, D>>)
    | undefined
  /**
   * What `optional()` demands of a request that presents nothing, and on which no other gate granted a principal. Undefined
   * lets it through.
   */
  readonly anonymous?: ((request: Request) => Denied<R> | undefined | Promise<Denied<R> | undefined>) | undefined
  /**
   * Runs when the credential that was read is decided on, before the handler or the answer; again, with *unavailable*,
   * when a grant could not be recorded. A gate that takes the credential off the request here needs a `verifier`: a
   * second gate of its own would find nothing.
   */
  readonly decided?:
    | ((verdict: Verdict<P, R, D | 'audit_sink'>, credential: C | undefined, request: Request) => void)
    | undefined
  /** By what an authentication is remembered: gates with one verifier authenticate a request once. Default: the gate. */
  readonly verifier?: object | undefined
  /** What can be unavailable. The first is what a throw means that names none of them. */
  readonly dependencies: readonly D[]
  readonly reasons: ReasonTable<R>
  /** The challenges of a refusal; without one, those of a request that presents nothing. */
  readonly challenge: (denied?: Denied<R>) => readonly Challenge[]
  /** Last word on an answer, for gates that answer in other forms or add headers. */
  readonly shape?: ((answer: Answer, refusal: Refusal<R, D | 'audit_sink'>, request: Request) => Answer) | undefined
  /** For bearer gates: what `asOAuthTokenVerifier` needs. */
  readonly withoutRequest?: WithoutRequest<C, R> | undefined
  /**
   * The option because of which `demand` decides on a parsed body, such as `tools`. An upgrade has none, so such a gate
   * takes no upgrades.
   */
  readonly needsBody?: string | undefined
  readonly options?: GateOptions<R, D> | undefined
}

/** How a gate decides on a bearer token that came without its request. */
export interface WithoutRequest<C, R extends string> {
  /** Reads a token, as `read` does. */
  readonly read: (token: string) => C | Denied<R>
  /** What the gate demands that only a request can show, such as `tools`: then no adapter can be made. */
  readonly impossible?: string | undefined
  /** The resource that `AuthInfo` names. */
  readonly resource?: string | undefined
  /** Whether `AuthInfo` has the token itself, for tools that exchange it, and not the principal's id. Default false. */
  readonly passesToken?: boolean | undefined
}

/** An Express middleware that lets a request through only with a verified principal. */
export interface Gate<P extends PrincipalBase = PrincipalBase> extends Middleware {
  /** `hmac`, `oauth-bearer`, `mcp-credential`, `settings-session`, or your own gate's. */
  readonly kind: string
  /** The header fields that credentials are read from, in lower case. */
  readonly reads: readonly string[]
  /** True when the request carries a credential that could be meant for this gate, good or bad. Presence commits. */
  presents(request: Request): boolean
  /** The challenges that a request without credentials gets. */
  challenge(): readonly Challenge[]
  /** A gate that lets a request without any credential through, with no principal. A bad one is still refused. */
  optional(): OptionalGate<P>
  /**
   * Decides on the upgrades of one path, such as those to WebSocket: with the same decision, principal and event as on a
   * request. A refusal is answered on the socket, always with the problem document. `path` is compared with the request's
   * path as it was sent, without its query. Returns the function that ends it.
   *
   * @throws {OptionError} for what is not a server, a path or a function.
   * @throws {TypeError} with code `ERR_COUNTERSIGN_UPGRADE_PATH_TAKEN` when a gate of this server has the path, or
   * `ERR_COUNTERSIGN_BODY_NEEDED` for a gate that decides on bodies.
   * @example
   * gate.upgrade(server, '/live', (request, socket, head, principal) => {
   *   sockets.handleUpgrade(request, socket, head, (socket) => serve(socket, principal))
   * })
   */
  upgrade(server: UpgradeServer, path: string, listener: UpgradeListener<P>): () => void
  /** Only in the types: what the gate attaches. */
  readonly principal?: P
}

/** A gate that lets a request without any credential through, with no principal. */
export interface OptionalGate<P extends PrincipalBase = PrincipalBase> extends Gate<P> {
  optional(): OptionalGate<P>
  /** As {@link Gate.upgrade}, with no principal where no credential is presented. */
  upgrade(server: UpgradeServer, path: string, listener: UpgradeListener<P | undefined>): () => void
  /** Only in the types, so that an optional gate can stand where any gate can. */
  upgrade(server: UpgradeServer, path: string, listener: UpgradeListener<P>): () => void
}

/** What the suite itself needs to know of a gate; copies of the package find it by its symbol. */
export interface GateInside {
  readonly audit: Audit
  readonly clock: Clock
  /** The header fields of which the gate takes up any credential, whatever its mark. */
  readonly takes: readonly string[]
  /** Whether what is presented is the gate's own, and not just something that it would refuse. */
  owns(request: Request): boolean
  /** Undefined for a gate that is composed of others. */
  readonly definition: GateDefinition<unknown, PrincipalBase, string, string> | undefined
  /** The gates that it is composed of. */
  readonly parts?: readonly Gate[] | undefined
  /** Decides on a request, and leaves by one of the exits. */
  readonly enter: (request: Request, exit: Exit) => void
  /** Passes a request on for which nothing is presented. */
  readonly pass: (request: Request, exit: Exit) => void
}

const INSIDE = Symbol.for('countersign.gate/1')

/** The inside of a gate; undefined for what is not a gate. */
export function insideOf(gate: unknown): GateInside | undefined {
  return typeof gate === 'function' ? (gate as { [INSIDE]?: GateInside })[INSIDE] : undefined
}

/** What {@link asGate} makes a gate of. */
export type GateFace = Pick<Gate, 'kind' | 'reads' | 'presents' | 'challenge'>

/** Gives a handler the members of a gate, and its own name. */
export function asGate<P extends PrincipalBase>(
  handler: RequestHandler,
  name: string,
  face: GateFace,
  inside: GateInside,
): Gate<P> {
  const { kind, reads, presents, challenge } = face
  const optional = (): OptionalGate<P> => {
    const { enter, pass } = inside
    const either: RequestHandler = (request, response, next) =>
      mayPresent(presents, request)
        ? handler(request, response, next)
        : pass(request, new ExpressExit(request, response, next))
    return asGate<P>(either, name, face, {
      ...inside,
      enter: (request, exit) => (mayPresent(presents, request) ? enter(request, exit) : pass(request, exit)),
    })
  }
  const upgrade = <Passed>(server: UpgradeServer, path: string, listener: UpgradeListener<Passed>) => {
    assertNeedsNoBody(inside, name)
    return listenForUpgrades({ enter: inside.enter, name }, server, path, listener)
  }
  Object.defineProperty(handler, 'name', { value: name, configurable: true })
  Object.defineProperty(handler, INSIDE, { value: inside })
  return Object.assign(handler, { kind, reads, presents, challenge, optional, upgrade }) as Gate<P>
}

function assertNeedsNoBody({ definition, parts = [] }: GateInside, name: string): void {
  const need = definition?.needsBody
  if (need !== undefined) {
    throw new CodedTypeError(
      'ERR_COUNTERSIGN_BODY_NEEDED',
      `${name}.upgrade: "${need}" needs the body of a request, and an upgrade has none. Create a gate without "${need}" for it`,
    )
  }
  for (const part of parts) assertNeedsNoBody(insideOf(part) as GateInside, name)
}

/** A throw counts as presented: the handler asks once more, and reports it as the bug that it is. */
function mayPresent(presents: GateFace['presents'], request: Request): boolean {
  try {
    return presents(request)
  } catch {
    return true
  }
}
