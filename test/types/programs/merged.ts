// An app that adds to the types itself: members of `Express.Request`, and a gate of its own with its principal.
import { firstPresented, type Gate, type Principal, type PrincipalBase, principalOf } from '@countersign/core'
import { defineGate, denied, type GateDefinition, granted, type ReasonTable } from '@countersign/core/gate-kit'
import { type HmacPrincipal, memorySecrets, requireHmac } from '@countersign/hmac'
import { expectTypeOf } from 'expect-type'
import express, { type ErrorRequestHandler, type RequestHandler, type Response, Router } from 'express'

interface DevicePrincipal extends PrincipalBase {
  readonly kind: 'device'
  readonly rights: readonly string[]
}

declare module '@countersign/core' {
  interface PrincipalTypes {
    device: DevicePrincipal
  }
}

declare global {
  namespace Express {
    interface Request {
      /** As passport and others declare it. */
      user?: { readonly name: string }
      tenant: string
    }
    interface Locals {
      startedMs: number
    }
  }
}

type DeviceReason = 'missing' | 'bad_secret'
const reasons: ReasonTable<DeviceReason> = {
  missing: { status: 401, owasp: 'authn_login_fail' },
  bad_secret: { status: 401, owasp: 'authn_login_fail' },
}

/** What it reads is what it verifies, and what it grants is what it attaches. */
function requireDevice(): Gate<DevicePrincipal> {
  return defineGate<{ readonly key: string }, DevicePrincipal, DeviceReason, 'device_store'>({
    name: 'device',
    middleware: 'requireDevice',
    reads: ['x-device-key'],
    read: (request) => ({ key: request.get('x-device-key') ?? request.tenant }),
    verify: (credential, request) => {
      expectTypeOf(credential).toEqualTypeOf<{ readonly key: string }>()
      expectTypeOf(request?.tenant).toEqualTypeOf<string | undefined>()
      return credential.key === '' ? denied('bad_secret') : granted({ kind: 'device', id: 'a', rights: [] })
    },
    dependencies: ['device_store'],
    reasons,
    challenge: (refusal) => {
      expectTypeOf(refusal?.reason).toEqualTypeOf<DeviceReason | undefined>()
      return [{ scheme: 'Device' }]
    },
  })
}

type Definition = GateDefinition<string, DevicePrincipal, DeviceReason, 'device_store'>
// @ts-expect-error The table has no such reason.
export const wrongReason: Definition['verify'] = () => denied('expired')
// @ts-expect-error A principal of another shape.
export const wrongPrincipal: Definition['verify'] = () => granted({ kind: 'device', id: 'a' })
// @ts-expect-error Each reason has its meaning.
export const halfTable: ReasonTable<DeviceReason> = { missing: { status: 401, owasp: 'authn_login_fail' } }

const device = requireDevice()
const hmac = requireHmac({ secrets: memorySecrets([]), audience: 'app.example.com' })

expectTypeOf<Principal>().toEqualTypeOf<HmacPrincipal | DevicePrincipal>()
expectTypeOf(firstPresented(hmac, device)).toEqualTypeOf<Gate<HmacPrincipal | DevicePrincipal>>()

interface Params {
  readonly id: string
}
interface Order {
  readonly sku: string
}

// The app's own members are there behind each gate, beside what the route's path says and what its author has declared.
const router = Router()
router.post<Params, Order, Order, { readonly dry: string }>('/orders/:id', hmac, (request, response) => {
  expectTypeOf(request.params).toEqualTypeOf<Params>()
  expectTypeOf(request.body).toEqualTypeOf<Order>()
  expectTypeOf(request.query).toEqualTypeOf<{ readonly dry: string }>()
  expectTypeOf(request.tenant).toEqualTypeOf<string>()
  expectTypeOf(request.user).toEqualTypeOf<{ readonly name: string } | undefined>()
  expectTypeOf(response).toExtend<Response<Order>>()
  expectTypeOf(response.locals.startedMs).toEqualTypeOf<number>()
})
router.get('/devices/:id/:part', device.optional(), (request) => {
  expectTypeOf(request.params.part).toEqualTypeOf<string>()
  expectTypeOf(principalOf(request, 'device')).toEqualTypeOf<DevicePrincipal>()
  expectTypeOf(request.principal?.kind).toEqualTypeOf<'hmac' | 'device' | undefined>()
  // @ts-expect-error The path names no such parameter.
  request.params.list
})

// A gate stands among an app's own handlers, and where a handler is asked for.
const onError: ErrorRequestHandler = (_error, request, _response, next) => next(request.tenant)
const chain: RequestHandler[] = [hmac, device, firstPresented(hmac, device).optional()]
express().use(router, ...chain, onError)
