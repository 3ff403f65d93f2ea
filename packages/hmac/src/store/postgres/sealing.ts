import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject, randomBytes } from 'node:crypto'
import { OptionError } from '@countersign/core'
import { MIN_SECRET_BYTES } from '../../secret-key.js'

const IV_BYTES = 12
const TAG_BYTES = 16
const PURPOSE = 'countersign hmac secret'

/** Key-encryption keys; the first one seals, all open. */
export interface KekRing {
  readonly writes: string
  readonly keys: ReadonlyMap<string, KeyObject>
}

/** Where a sealed secret belongs: it opens nowhere else. */
export interface SealedPlace {
  readonly namespace: string
  readonly caller: string
  readonly version: number
}

/**
 * Reads a ring from `id:base64` entries with commas between, the writing one first; each is 32 bytes. `name` is what errors
 * call it.
 *
 * @throws {OptionError}
 */
export function parseKekRing(text: string, name = 'keks'): KekRing {
  const keys = new Map<string, KeyObject>()
  for (const entry of typeof text === 'string' ? text.split(',') : []) {
    const [, id = '', base64 = ''] = /^\s*([A-Za-z0-9._-]{1,64}):([A-Za-z0-9+/]{43}=)\s*$/.exec(entry) ?? []
    if (id === '' || keys.has(id)) throw invalidRing(name)
    keys.set(id, createSecretKey(Buffer.from(base64, 'base64')))
  }
  const [writes] = keys.keys()
  if (writes === undefined) throw invalidRing(name)
  return { writes, keys }
}

function invalidRing(name: string): OptionError {
  return new OptionError(
    'ERR_COUNTERSIGN_OPTION_INVALID',
    name,
    `"${name}" must be "id:base64" entries of 32 bytes each, with commas between and no id twice: make one with ` +
      '"openssl rand -base64 32"',
  )
}

/** Each part with its length before it: no two places have one text. */
function associatedData({ namespace, caller, version }: SealedPlace, kekId: string): Buffer {
  const parts = [PURPOSE, namespace, caller, String(version), kekId].map((part) => Buffer.from(part))
  return Buffer.concat(parts.flatMap((part) => [lengthOf(part), part]))
}

function lengthOf(part: Buffer): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(part.length)
  return bytes
}

/** Seals with AES-256-GCM: base64 of iv, tag and ciphertext. */
export function seal(ring: KekRing, place: SealedPlace, secret: Uint8Array): { kekId: string; sealed: string } {
  const iv = randomBytes(IV_BYTES)
  const kek = ring.keys.get(ring.writes) as KeyObject
  const cipher = createCipheriv('aes-256-gcm', kek, iv, { authTagLength: TAG_BYTES })
  cipher.setAAD(associatedData(place, ring.writes))
  const ciphertext = Buffer.concat([cipher.update(secret), cipher.final()])
  return { kekId: ring.writes, sealed: Buffer.concat([iv, cipher.getAuthTag(), ciphertext]).toString('base64') }
}

/** The secret's bytes; undefined when it does not open: another place, another key, or altered. */
export function open(ring: KekRing, place: SealedPlace, kekId: string, sealed: string): Buffer | undefined {
  const bytes = Buffer.from(sealed, 'base64')
  const parts = [bytes.subarray(0, IV_BYTES), bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES)] as const
  return openWith(
    ring.keys.get(kekId),
    parts[0],
    parts[1],
    bytes.subarray(IV_BYTES + TAG_BYTES),
    associatedData(place, kekId),
  )
}

/**
 * Opens the field's envelope `b64(iv):b64(tag):b64(ciphertext)`, whose associated data is `caller:version`.
 *
 * @throws {OptionError} for a key that is not 32 bytes.
 */
export function openEnvelope(kek: Uint8Array, caller: string, version: number, envelope: string): Buffer | undefined {
  if (!(kek instanceof Uint8Array) || kek.length !== 32) {
    throw new OptionError(
      'ERR_COUNTERSIGN_OPTION_INVALID',
      'kek',
      'importSealed: "kek" must be the 32 bytes of the key that sealed',
    )
  }
  const parts = typeof envelope === 'string' ? envelope.split(':').map((part) => Buffer.from(part, 'base64')) : []
  const [iv, tag, ciphertext] = parts
  if (parts.length !== 3 || iv === undefined || tag === undefined || ciphertext === undefined) return undefined
  return openWith(createSecretKey(kek), iv, tag, ciphertext, Buffer.from(`${caller}:${version}`))
}

function openWith(key: KeyObject | undefined, iv: Buffer, tag: Buffer, ciphertext: Buffer, data: Buffer) {
  // A shorter tag would be accepted by OpenSSL, and can be guessed.
  if (key === undefined || iv.length === 0 || tag.length !== TAG_BYTES) return undefined
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, iv, { authTagLength: TAG_BYTES })
    decipher.setAAD(data).setAuthTag(tag)
    const secret = Buffer.concat([decipher.update(ciphertext), decipher.final()])
    // A secret that is too short is not used, even if it was sealed.
    return secret.length < MIN_SECRET_BYTES ? undefined : secret
  } catch {
    return undefined
  }
}
