import type { Audit, AuditEvent } from '@countersign/audit'
import type { Demo } from '../app.js'
import type { AuthorizationServer } from '../authorization-server.js'
import type { Usual } from '../usual.js'

/** What can be done with either app from outside its routes. */
export interface WorldSide {
  readonly port: number
  forgetKeys(): void
  revokeThread(threadId: string): Promise<void>
  /** Sends a message on the open streams of agents. */
  say(text: string): void
}

/** The two apps, their authorization server, and the audit of ours. */
export interface World {
  readonly baseUrl: string
  readonly demo: Demo
  readonly usualApp: Usual
  readonly authorizationServer: AuthorizationServer
  readonly ours: WorldSide
  readonly usual: WorldSide
  /** The last event about a request, or about a credential whose connection was ended. */
  eventOf(requestId: string | null, credentialId?: string): Promise<AuditEvent | undefined>
}

/** What a world is made of. */
export interface WorldParts extends Pick<World, 'baseUrl' | 'demo' | 'usualApp' | 'authorizationServer'> {
  readonly audit: Audit
  readonly ports: { readonly ours: number; readonly usual: number }
}

const RECENT = 500

/** Puts the two apps beside each other. */
export function createWorld({ audit, ports, ...parts }: WorldParts): World {
  const { demo, usualApp } = parts
  const recent: AuditEvent[] = []
  audit.subscribe(function duel(event) {
    recent.push(event)
    if (recent.length > RECENT) recent.shift()
  })
  return {
    ...parts,
    ours: {
      port: ports.ours,
      forgetKeys: demo.forgetKeys,
      revokeThread: async (threadId) => void (await demo.credentials.revokeThread(threadId)),
      say: demo.say,
    },
    usual: {
      port: ports.usual,
      forgetKeys: usualApp.forgetKeys,
      revokeThread: async (threadId) => usualApp.revokeThread(threadId),
      say: usualApp.say,
    },
    async eventOf(requestId, credentialId) {
      await audit.flush()
      const isAbout = ({ type, http, credential }: AuditEvent) =>
        credentialId === undefined
          ? http?.requestId === requestId
          : type === 'connection.ended' && credential?.id === credentialId
      return recent.findLast(isAbout)
    },
  }
}
