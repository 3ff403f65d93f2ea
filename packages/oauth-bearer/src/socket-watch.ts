import { andThen, type ConnectionWatch, watchConnections } from '@countersign/core/gate-kit'
import type { Request } from 'express'
import type { PresentedToken } from './read.js'
import type { VerifyToken } from './verify.js'

/** What opened a socket. */
export interface Opener {
  readonly presented: PresentedToken
  readonly request: Request
}

/** Watches the sockets of tokens: each token is verified again, as on a request. */
export function watchSockets(verify: VerifyToken): ConnectionWatch<Opener> {
  return watchConnections<Opener>(({ presented, request }) =>
    andThen(verify(presented, request), ({ outcome }) =>
      outcome === 'unavailable' ? undefined : outcome === 'granted',
    ),
  )
}
