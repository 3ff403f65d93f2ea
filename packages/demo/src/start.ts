import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createAudit } from '@countersign/audit'
import express from 'express'
import { createDemo } from './app.js'
import { startAuthorizationServer } from './authorization-server.js'
import { DemoError } from './demo-error.js'
import { createWorld, type World } from './duel/world.js'
import { createPage } from './page/routes.js'
import { createState } from './state.js'
import { createUsual } from './usual.js'

/** How the demo is started. */
export interface StartOptions {
  /** 0 picks any free port. */
  readonly port?: number | undefined
  readonly redisUrl?: string | undefined
  /** Is told in one line what happens to Redis. */
  readonly say?: ((line: string) => void) | undefined
}

/** The demo while it runs. */
export interface RunningDemo {
  readonly baseUrl: string
  /** Where its state is, for people. */
  readonly where: string
  readonly world: World
  close(): Promise<void>
}

/**
 * Starts both apps and the authorization server on loopback.
 *
 * @throws {DemoError} when the port cannot be taken, or Redis does not answer.
 */
export async function startDemo({ port = 0, redisUrl, say }: StartOptions = {}): Promise<RunningDemo> {
  const state = await createState(redisUrl, say)
  const servers: Server[] = []
  try {
    // The apps must know the address before they are made: the ports are taken first.
    for (const wanted of [port, 0]) servers.push(await listen(wanted))
    const [server, usualServer] = servers as [Server, Server]
    const ports = { ours: portOf(server), usual: portOf(usualServer) }
    const baseUrl = `http://localhost:${ports.ours}`
    const audit = createAudit()
    const authorizationServer = await startAuthorizationServer()
    const { issuer } = authorizationServer
    const demo = createDemo({ baseUrl, issuer, state, audit })
    const usualApp = createUsual({ baseUrl, issuer })
    const world = createWorld({ baseUrl, demo, usualApp, authorizationServer, audit, ports })
    const page = createPage(world, audit)
    server.on('request', express().disable('x-powered-by').use(page.routes, demo.app))
    usualServer.on('request', usualApp.app)
    return {
      baseUrl,
      where: state.where,
      world,
      async close() {
        page.close()
        await demo.close()
        for (const one of servers) stop(one)
        await authorizationServer.close()
        await audit.close()
        await state.close()
      },
    }
  } catch (error) {
    for (const one of servers) stop(one)
    await state.close()
    throw error
  }
}

const portOf = (server: Server) => (server.address() as AddressInfo).port

async function listen(port: number): Promise<Server> {
  const server = createServer()
  try {
    await once(server.listen(port, '127.0.0.1'), 'listening')
    return server
  } catch (error) {
    throw new DemoError(refusedPort(port, (error as NodeJS.ErrnoException).code))
  }
}

function refusedPort(port: number, code: string | undefined): string {
  if (code === 'EADDRINUSE') return `Port ${port} is in use. Choose another one with --port, or 0 for any free one.`
  if (code === 'EACCES') return `Port ${port} needs more rights than this user has. Choose one above 1023 with --port.`
  return `Port ${port} could not be opened (${code}). Choose another one with --port.`
}

function stop(server: Server): void {
  server.closeAllConnections()
  server.close()
}
