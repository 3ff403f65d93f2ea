import type { Gate, GateOptions } from '@countersign/core'
import {
  type Denied,
  defineGate,
  denied,
  fieldLines,
  gateOptionRules,
  granted,
  option,
  type ReasonTable,
  resolveOptions,
  secretsEqual,
  settle,
  sha256,
  unavailableBy,
  type Verdict,
} from '@countersign/core/gate-kit'
import type { Request } from 'express'

/** The device that was verified. */
export interface DevicePrincipal {
  readonly kind: 'device'
  /** Stable and safe to log. */
  readonly id: string
  readonly rights: readonly string[]
}

declare module '@countersign/core' {
  interface PrincipalTypes {
    device: DevicePrincipal
  }
}

/** What a store knows of a device. */
export interface Device {
  /** SHA-256 of the secret. */
  readonly digest: Uint8Array
  readonly rights: readonly string[]
  readonly isRevoked: boolean
}

/** Where devices are kept. Throws or rejects when it cannot be asked. */
export interface DeviceStore {
  find(id: string): Device | undefined | Promise<Device | undefined>
}

/** Devices of a fixed list, by id. */
export function memoryDevices(
  devices: Readonly<Record<string, { secret: string; rights?: readonly string[]; isRevoked?: boolean }>>,
): DeviceStore {
  const known = new Map<string, Device>()
  for (const [id, { secret, rights = [], isRevoked = false }] of Object.entries(devices)) {
    known.set(id, { digest: sha256(secret), rights, isRevoked })
  }
  return { find: (id) => known.get(id) }
}

/** Why a request is refused. */
export type DeviceReason = 'missing' | 'malformed' | 'ambiguous' | 'bad_secret' | 'revoked' | 'insufficient_scope'

/** What each reason means to the client and to the audit. */
const reasons: ReasonTable<DeviceReason> = {
  missing: { status: 401, owasp: 'authn_login_fail' },
  malformed: { status: 401, owasp: 'authn_login_fail' },
  ambiguous: { status: 400, owasp: 'input_validation_fail', problem: { detail: 'More than one X-Device-Key' } },
  // A device that does not exist and a wrong secret have one reason and one body.
  bad_secret: { status: 401, owasp: 'authn_login_fail' },
  revoked: { status: 401, owasp: 'authn_login_fail_ban', problem: { detail: 'The device is revoked' } },
  insufficient_scope: { status: 403, owasp: 'authz_fail', problem: { detail: 'The device lacks a right' } },
}

/** Options of {@link requireDevice}. */
export interface RequireDeviceOptions extends GateOptions<DeviceReason, 'device_store'> {
  readonly devices: DeviceStore
  /** The rights that every request needs. Default: none. */
  readonly rights?: readonly string[] | undefined
}

const RULES = {
  ...gateOptionRules,
  devices: option.port<DeviceStore>('a store, such as memoryDevices()', 'find').required(),
  rights: option.strings().default([]),
}

/** What a request presents: `X-Device-Key: <id>.<secret>`. */
interface DeviceKey {
  readonly id: string
  readonly secret: string
}

const KEY = /^([a-z0-9-]{1,64})\.([\x21-\x7e]{16,256})$/

/** Request → credential, a refusal, or undefined when nothing is presented. */
function readKey(request: Request): DeviceKey | Denied<DeviceReason> | undefined {
  const [line, ...others] = fieldLines(request, 'x-device-key')
  if (line === undefined) return undefined
  if (others.length > 0) return denied('ambiguous')
  const [, id, secret] = KEY.exec(line) ?? []
  return id === undefined || secret === undefined ? denied('malformed') : { id, secret }
}

type DeviceVerdict = Verdict<DevicePrincipal, DeviceReason, 'device_store'>

/** Credential → verdict. */
function verifyKey({ id, secret }: DeviceKey, devices: DeviceStore): DeviceVerdict | Promise<DeviceVerdict> {
  return settle<Device | undefined, DeviceVerdict>(
    () => devices.find(id),
    (device) => {
      // The comparison takes as long for a device that does not exist.
      const isProven = secretsEqual(sha256(secret), device?.digest ?? sha256(''))
      if (device === undefined || !isProven) return denied('bad_secret')
      if (device.isRevoked) return denied('revoked', { detail: { principalId: id } })
      return granted({ kind: 'device', id, rights: Object.freeze([...device.rights]) })
    },
    (error) => unavailableBy(error, 'device_store'),
  )
}

/**
 * Requires a device key. Attaches {@link DevicePrincipal}. Answers 401 for a key that is not valid, 403 for a device
 * without a needed right, and 503 when the store cannot be asked.
 *
 * @throws {OptionError} at creation.
 */
export function requireDevice(options: RequireDeviceOptions): Gate<DevicePrincipal> {
  const { devices, rights, ...gateOptions } = resolveOptions('requireDevice', options, RULES)
  return defineGate<DeviceKey, DevicePrincipal, DeviceReason, 'device_store'>({
    name: 'device',
    middleware: 'requireDevice',
    reads: ['x-device-key'],
    read: readKey,
    verify: (key) => verifyKey(key, devices),
    demand(verdict) {
      const missing = rights.filter((right) => !verdict.principal.rights.includes(right))
      if (missing.length === 0) return verdict
      const detail = { principalId: verdict.principal.id, attributes: { missing: missing.join(' ') } }
      return denied('insufficient_scope', { detail, members: { rights_needed: rights } })
    },
    verifier: devices,
    dependencies: ['device_store'],
    reasons,
    challenge: (refusal) => (refusal?.reason === 'insufficient_scope' ? [] : [{ scheme: 'Device' }]),
    options: gateOptions,
  })
}
