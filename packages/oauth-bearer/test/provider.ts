import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { exportJWK, generateKeyPair } from 'jose'
import { startChildApp } from '../../../test/support/child-app.js'
import { messageFrom } from '../../../test/support/child-messages.js'
import type { Fault, ProviderCommand } from './provider-process.js'

/** A real `oidc-provider` in its own process, with switches for what can go wrong. */
export interface RealProvider {
  readonly issuer: string
  /** A token for a machine; for a resource that ends in `/opaque` it is an opaque one. */
  machineToken(resource: string, scope?: string): Promise<string>
  /** One that is bound to the certificate of its client. */
  boundToken(resource: string, certificate: string): Promise<string>
  fault(path: string, fault: Fault | null): Promise<void>
  listen(on: boolean): Promise<void>
  rotate(keepOld: boolean): Promise<void>
  /** The paths that were asked for since the last call. */
  requests(): Promise<readonly string[]>
  stop(): Promise<void>
}

/**
 * `resourceJwk`: the public key that the resource `resource-jwt` proves itself with. `env`: variables of its process.
 */
export async function startProvider(
  resourceJwk?: object,
  env: Readonly<Record<string, string>> = {},
): Promise<RealProvider> {
  const { publicKey } = resourceJwk === undefined ? await generateKeyPair('ES256') : { publicKey: undefined }
  const jwk = resourceJwk ?? (publicKey && (await exportJWK(publicKey)))
  const file = join(dirname(fileURLToPath(import.meta.url)), 'provider-process.ts')
  const child = await startChildApp(file, {
    ...env,
    RESOURCE_JWK: JSON.stringify({ ...jwk, alg: 'ES256', use: 'sig' }),
  })
  let lastId = 0
  async function send(command: ProviderCommand): Promise<unknown> {
    lastId += 1
    const id = lastId
    child.process.send({ ...command, id })
    const { result, error } = await messageFrom(child.process, (answer) => (answer.id === id ? answer : undefined))
    if (error !== undefined) throw new Error(String(error))
    return result
  }

  async function tokenOf(client: string, asked: Record<string, string>, headers = {}): Promise<string> {
    const authorization = `Basic ${Buffer.from(`${client}:the-secret-of-the-machine`).toString('base64')}`
    const response = await fetch(`${child.url}/token`, {
      method: 'POST',
      headers: { ...headers, authorization },
      body: new URLSearchParams({ grant_type: 'client_credentials', ...asked }),
    })
    const body = (await response.json()) as { access_token?: string }
    if (body.access_token === undefined) throw new Error(`the token endpoint answered ${JSON.stringify(body)}`)
    return body.access_token
  }

  return {
    issuer: child.url,
    machineToken: (resource, scope = 'files:read') => tokenOf('machine', { resource, scope }),
    boundToken: (resource, certificate) =>
      tokenOf(
        'machine-mtls',
        { resource, scope: 'files:read' },
        { 'x-ssl-client-cert': encodeURIComponent(certificate) },
      ),
    fault: async (path, fault) => void (await send({ command: 'fault', path, fault })),
    listen: async (on) => void (await send({ command: 'listen', on })),
    rotate: async (keepOld) => void (await send({ command: 'rotate', keepOld })),
    requests: async () => (await send({ command: 'requests' })) as string[],
    stop: () => child.stop(),
  }
}
