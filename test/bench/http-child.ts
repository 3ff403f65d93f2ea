// One process of the HTTP rig: one variant, or an empty middleware, on a real server; makes the requests it will let in.
import express from 'express'
import { serve } from '../support/http-server.js'
import type { Variant } from './case.js'
import { caseOf } from './cases/index.js'
import { EMPTY, pass } from './measure.js'
import { answerWith } from './processes.js'
import type { Wire } from './wire.js'

export type Question =
  | { readonly kind: 'start'; readonly id: string; readonly name: string }
  /** Requests: each that will come again, or so many. */
  | { readonly kind: 'seen' }
  | { readonly kind: 'wires'; readonly count: number }
  /** µs of CPU that this process has used. */
  | { readonly kind: 'cpu' }

export interface Started {
  readonly port: number
  readonly variants: readonly Pick<Variant, 'name' | 'isOurs'>[]
}

let variant: Variant | undefined

async function start(id: string, name: string): Promise<Started> {
  const one = caseOf(id)
  const { variants } = await one.setup()
  const isEmpty = name === EMPTY[0]
  variant = variants.find((one) => (isEmpty ? one.isOurs : one.name === name))
  if (variant === undefined) throw new Error(`${id} has no variant ${name}`)
  const app = one.app?.() ?? express()
  app.disable('etag').disable('x-powered-by')
  app.use(isEmpty ? pass : variant.handler, (_request, response) => {
    response.end('let in')
  })
  const { server, port } = await serve(app)
  // A connection waits while the other variants have their turn.
  server.keepAliveTimeout = 3_600_000
  return { port, variants: variants.map(({ name, isOurs }) => ({ name, isOurs })) }
}

answerWith((question: Question): unknown => {
  if (question.kind === 'start') return start(question.id, question.name)
  if (question.kind === 'seen') return variant?.seen?.() ?? []
  if (question.kind === 'wires') return variant?.wires(question.count) as readonly Wire[] | Promise<readonly Wire[]>
  const { user, system } = process.cpuUsage()
  return user + system
})
