// An app with core alone: a principal is what every principal has, and no kind is known.
import { firstPresented, type Gate, type Principal, type PrincipalBase, principalOf } from '@countersign/core'
import { expectTypeOf } from 'expect-type'
import express from 'express'

declare const gate: Gate

expectTypeOf<Principal>().toEqualTypeOf<PrincipalBase>()
expectTypeOf(firstPresented(gate)).toEqualTypeOf<Gate<PrincipalBase>>()
// @ts-expect-error Without an argument there is no gate.
firstPresented()
// @ts-expect-error A middleware is no gate.
firstPresented(express.json())

express().get('/', gate, (request) => {
  expectTypeOf(request.principal).toEqualTypeOf<PrincipalBase | undefined>()
  // @ts-expect-error Only the kinds of imported gates can be asked for.
  principalOf(request, 'hmac')
})
