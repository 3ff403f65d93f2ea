// An app with one gate: its principal needs no narrowing.
import { type Principal, principalOf } from '@countersign/core'
import { type HmacGate, type HmacPrincipal, memorySecrets, requireHmac } from '@countersign/hmac'
import { expectTypeOf } from 'expect-type'
import express from 'express'

const hmac = requireHmac({ secrets: memorySecrets([]), audience: 'app.example.com' })

expectTypeOf(hmac).toEqualTypeOf<HmacGate>()
expectTypeOf<Principal>().toEqualTypeOf<HmacPrincipal>()

express().post('/orders/:id', hmac, (request) => {
  expectTypeOf(request.principal).toEqualTypeOf<HmacPrincipal | undefined>()
  expectTypeOf(request.principal?.caller).toEqualTypeOf<string | undefined>()
  expectTypeOf(request.rawBody).toEqualTypeOf<Buffer | undefined>()
  expectTypeOf(principalOf(request, 'hmac')).toEqualTypeOf<HmacPrincipal>()
  // @ts-expect-error Without a gate that has run, there may be none.
  request.principal.caller
  // @ts-expect-error A principal is read-only.
  principalOf(request, 'hmac').caller = 'another'
  // @ts-expect-error The gate of this kind is not imported.
  principalOf(request, 'oauth-bearer')
})

// @ts-expect-error A gate needs its secrets.
requireHmac({ audience: 'app.example.com' })
// @ts-expect-error No option has this name.
requireHmac({ secrets: memorySecrets([]), audiense: 'app.example.com' })
