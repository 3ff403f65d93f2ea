import type { Audit, Clock } from '@countersign/core'
import { type AuditHttp, describeRequest } from '@countersign/core/gate-kit'
import type { Request } from 'express'
import type { KindValidators, NoKinds, NotMe, OnOpen } from '../links/kinds.js'
import type { IdentityPolicy } from '../oauth/first-claim.js'
import type { Provider } from '../oauth/provider.js'
import type { SocketWatch } from '../session-watch.js'
import type { Site } from '../site.js'
import type { SessionLimits, SettingsStore } from '../store/port.js'

/** What the routes decide with. Each handler takes out the parts that it uses. */
export interface RouteContext {
  readonly site: Site
  readonly store: SettingsStore
  readonly limits: SessionLimits
  /** Where people sign in; undefined where a link is enough. */
  readonly provider: Provider | undefined
  readonly identities: IdentityPolicy
  /** Whether a sign-in alone opens the settings of who is bound already. */
  readonly maySignIn: boolean
  readonly kinds: KindValidators
  readonly onOpen: OnOpen<NoKinds> | undefined
  readonly onNotMe: ((notMe: NotMe) => unknown) | undefined
  readonly sockets: SocketWatch
  readonly audit: Audit
  readonly clock: Clock
  /** The name of the routes in events. Default: the path. */
  readonly route: string | undefined
}

/** The request that changed something, with its client's address, as an event describes it. */
export function changedBy({ site, route }: RouteContext, request: Request): AuditHttp {
  return describeRequest(request, route ?? `${site.path}${request.path}`, undefined)
}
