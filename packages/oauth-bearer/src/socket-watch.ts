import type { Audit } from '@countersign/core'
import { andThen, type ConnectionWatch, watchConnections } from '@countersign/core/gate-kit'
import type { Request } from 'express'
import type { PresentedToken } from './read.js'
import type { VerifyToken } from './verify.js'

/** What opened a socket. */
export interface Opener {
  readonly presented: PresentedToken
  readonly request: Request
  readonly principalId: string
}

/** Watches the sockets of tokens: each token is verified again, as on a request. */
export function watchSockets(verify: VerifyToken, audit: Audit): ConnectionWatch<Opener> {
  return watchConnections<Opener>(
    ({ presented, request }) =>
      andThen(verify(presented, request), ({ outcome }) =>
        outcome === 'unavailable' ? undefined : outcome === 'granted',
      ),
    ({ principalId: id }, cause) => {
      const principal = { kind: 'oauth-bearer', id }
      void audit.emit({ type: 'connection.ended', gate: 'oauth-bearer', principal, attributes: { cause } })
    },
  )
}
