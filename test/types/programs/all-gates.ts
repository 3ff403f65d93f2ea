// An app with all gates: principals by kind, and what a composition of gates attaches.
import { firstPresented, type Gate, type OptionalGate, type Principal, principalOf } from '@countersign/core'
import { asOAuthTokenVerifier } from '@countersign/core/mcp-sdk'
import { type HmacPrincipal, memorySecrets, requireHmac } from '@countersign/hmac'
import { createMcpCredentials, type McpCredentialPrincipal, requireMcpCredential } from '@countersign/mcp-credential'
import { type OAuthBearerPrincipal, requireOAuthBearer } from '@countersign/oauth-bearer'
import {
  createSettingsSessions,
  requireSettingsSession,
  type SettingsSessionPrincipal,
} from '@countersign/settings-session'
import { expectTypeOf } from 'expect-type'
import express from 'express'

const server = express().listen(0)
const hmac = requireHmac({ secrets: memorySecrets([]), audience: 'app.example.com' })
const oauth = requireOAuthBearer({ resource: 'https://app.example.com', issuer: 'https://auth.example.com' })
const agent = requireMcpCredential({ credentials: createMcpCredentials() })
const settings = createSettingsSessions({ baseUrl: 'https://app.example.com/settings' })
const person = requireSettingsSession({ settings })

type All = HmacPrincipal | OAuthBearerPrincipal | McpCredentialPrincipal | SettingsSessionPrincipal
expectTypeOf<Principal>().toEqualTypeOf<All>()
expectTypeOf<Principal['kind']>().toEqualTypeOf<'hmac' | 'oauth-bearer' | 'mcp-credential' | 'settings-session'>()

/** Compiles only while every kind has its case, and each case knows its principal. */
export function nameOf(principal: Principal): string {
  switch (principal.kind) {
    case 'hmac':
      expectTypeOf(principal).toEqualTypeOf<HmacPrincipal>()
      return principal.caller
    case 'oauth-bearer':
      expectTypeOf(principal).toEqualTypeOf<OAuthBearerPrincipal>()
      return principal.subject ?? principal.id
    case 'mcp-credential':
      expectTypeOf(principal).toEqualTypeOf<McpCredentialPrincipal>()
      return principal.threadId
    case 'settings-session':
      expectTypeOf(principal).toEqualTypeOf<SettingsSessionPrincipal>()
      return principal.userId
  }
}

// What a gate is made of keeps its principal.
expectTypeOf(oauth.scopes('files:read')).toEqualTypeOf<Gate<OAuthBearerPrincipal>>()
expectTypeOf(oauth.stepUp({ maxAuthAgeSeconds: 300 })).toEqualTypeOf<Gate<OAuthBearerPrincipal>>()
expectTypeOf(oauth.dpop()).toEqualTypeOf<Gate<OAuthBearerPrincipal>>()
expectTypeOf(person).toEqualTypeOf<Gate<SettingsSessionPrincipal>>()
expectTypeOf(agent.filterTools([{ name: 'search', cost: 1 }], [])).toEqualTypeOf<{ name: string; cost: number }[]>()
expectTypeOf(asOAuthTokenVerifier(oauth).verifyAccessToken).parameter(0).toEqualTypeOf<string>()

// A composition attaches what one of its gates attaches, and no other.
const two = firstPresented(hmac, oauth)
expectTypeOf(two).toEqualTypeOf<Gate<HmacPrincipal | OAuthBearerPrincipal>>()
expectTypeOf(firstPresented(two, person)).toEqualTypeOf<
  Gate<HmacPrincipal | OAuthBearerPrincipal | SettingsSessionPrincipal>
>()
expectTypeOf(two).not.toExtend<Gate<HmacPrincipal>>()
expectTypeOf(hmac).toExtend<Gate<HmacPrincipal | OAuthBearerPrincipal>>()
expectTypeOf(hmac).toExtend<Gate>()

// An optional gate may attach nothing: sockets are told, and it stands where any gate can.
expectTypeOf(two.optional()).toEqualTypeOf<OptionalGate<HmacPrincipal | OAuthBearerPrincipal>>()
expectTypeOf(two.optional().optional()).toEqualTypeOf<OptionalGate<HmacPrincipal | OAuthBearerPrincipal>>()
expectTypeOf(agent.optional()).toExtend<Gate<McpCredentialPrincipal>>()
two.upgrade(server, '/live', (_request, _socket, _head, principal) => {
  expectTypeOf(principal).toEqualTypeOf<HmacPrincipal | OAuthBearerPrincipal>()
})
agent.optional().upgrade(server, '/agents', (_request, _socket, _head, principal) => {
  expectTypeOf(principal).toEqualTypeOf<McpCredentialPrincipal | undefined>()
})

express().get('/', two, (request) => {
  expectTypeOf(request.principal).toEqualTypeOf<All | undefined>()
  expectTypeOf(principalOf(request, 'settings-session')).toEqualTypeOf<SettingsSessionPrincipal>()
  expectTypeOf(principalOf).parameter(1).toEqualTypeOf<Principal['kind']>()
  // @ts-expect-error Of several kinds, one must be told from the others first.
  request.principal?.caller
  if (request.principal?.kind === 'hmac') expectTypeOf(request.principal.caller).toEqualTypeOf<string>()
  // @ts-expect-error There is no such kind.
  if (request.principal?.kind === 'hmca') return
})

// Each gate refuses with its own reasons, and an app's handler knows them.
requireHmac({
  secrets: memorySecrets([]),
  audience: 'app.example.com',
  onDenied: ({ verdict, respond }) => {
    if (verdict.outcome === 'denied' && verdict.reason === 'bad_signature') respond()
    // @ts-expect-error This reason is another gate's.
    if (verdict.outcome === 'denied' && verdict.reason === 'unknown_key') respond()
    if (verdict.outcome === 'unavailable') expectTypeOf(verdict.dependency).toExtend<string>()
  },
})
