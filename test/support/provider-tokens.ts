import {
  createHmac,
  generateKeyPairSync,
  type JsonWebKey,
  type KeyObject,
  randomBytes,
  randomUUID,
  sign,
} from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** A token as a provider's documentation shows it, with other values, and what a gate says of it. */
export interface ProviderToken {
  readonly title: string
  /** A JWT is signed in the test. In claims `now` and `now+60` are times, and `{ "$uuids": 3 }` is a list. */
  readonly header?: { readonly alg: string; readonly [name: string]: unknown }
  readonly claims?: Readonly<Record<string, unknown>>
  /** A token that is no JWT. */
  readonly token?: string
  /** `granted`, or the reason of the refusal. */
  readonly expect: string
  /** Some members of the principal. */
  readonly principal?: object
}

/** One way to configure a provider's issuer, and its tokens. */
export interface ProviderSetting {
  readonly title: string
  /** Options of the preset; a recipe has none. */
  readonly options?: Readonly<Record<string, unknown>>
  readonly cases: readonly ProviderToken[]
}

/** The tokens of one provider. */
export interface Provider {
  readonly name: string
  /** The name of its preset, or of the recipe in the guide. */
  readonly preset?: string
  readonly recipe?: string
  /** The page that shows the tokens. */
  readonly source: string
  readonly settings: readonly ProviderSetting[]
}

const folder = join(dirname(fileURLToPath(import.meta.url)), 'provider-tokens')

/** All of `provider-tokens`, by file. */
export const providers: readonly Provider[] = readdirSync(folder)
  .sort()
  .map((file) => ({
    name: file.replace(/\.json$/, ''),
    ...(JSON.parse(readFileSync(join(folder, file), 'utf8')) as Omit<Provider, 'name'>),
  }))

/** Rows for `test.each`: provider, setting, token. */
export function tokensOf(kind: 'preset' | 'recipe') {
  return providers
    .filter((provider) => provider[kind] !== undefined)
    .flatMap((provider) => provider.settings.map((setting) => ({ provider, setting })))
    .flatMap(({ provider, setting }) =>
      setting.cases.map((token) => ({
        title: `${provider.name}, ${setting.title}: ${token.title}`,
        provider,
        setting,
        token,
      })),
    )
}

/** Keys that sign as any provider would, made on the spot. */
export interface ProviderKeys {
  readonly jwks: { readonly keys: readonly JsonWebKey[] }
  /** The token that a row describes, at this time. */
  sign(token: ProviderToken, nowMs: number): string
}

export function makeProviderKeys(): ProviderKeys {
  const pairs = {
    RS256: generateKeyPairSync('rsa', { modulusLength: 2048 }),
    ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  }
  const secret = randomBytes(64)
  const signatureOf = (alg: string, input: string) => {
    if (alg === 'HS512') return createHmac('sha512', secret).update(input).digest('base64url')
    const key: KeyObject = pairs[alg as keyof typeof pairs].privateKey
    return sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')
  }
  return {
    jwks: {
      keys: Object.entries(pairs).map(([alg, { publicKey }]) => ({
        ...publicKey.export({ format: 'jwk' }),
        kid: alg,
        alg,
        use: 'sig',
      })),
    },
    sign({ token, header, claims = {} }, nowMs) {
      if (header === undefined) return token ?? ''
      const payload = Object.entries(claims).map(([name, value]) => [name, valueAt(value, nowMs)])
      const parts = [{ ...header, kid: header.alg }, Object.fromEntries(payload)]
      const input = parts.map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
      return `${input}.${signatureOf(header.alg, input)}`
    },
  }
}

function valueAt(value: unknown, nowMs: number): unknown {
  const [, offset] = (typeof value === 'string' ? /^now([+-]\d+)?$/.exec(value) : null) ?? []
  if (value === 'now' || offset !== undefined) return Math.floor(nowMs / 1000) + Number(offset ?? 0)
  const { $uuids: count } = (value ?? {}) as { readonly $uuids?: number }
  return count === undefined ? value : Array.from({ length: count }, () => randomUUID())
}
