import { isIP } from 'node:net'
import type { AuditEvent, AuditSink } from '@countersign/core'
import { option, resolveOptions } from '@countersign/core/gate-kit'
import { describeAttributes, describeEvent } from './describe-event.js'
import { ACTIVITY_NAMES, activityOf, CLASS_NAMES, type OcsfClass } from './ocsf/classes.js'

/** The version of the Open Cybersecurity Schema Framework that the events are written in. */
export const OCSF_VERSION = '1.5.0'

/** An event of OCSF: what every class has, and the objects of its own class. */
export interface OcsfEvent {
  readonly class_uid: OcsfClass
  readonly category_uid: 3 | 6
  readonly activity_id: number
  readonly type_uid: number
  /** Milliseconds since the epoch. */
  readonly time: number
  readonly severity_id: number
  readonly status_id: number
  readonly metadata: Readonly<Record<string, unknown>>
  readonly [attribute: string]: unknown
}

/** Options of {@link toOcsf}. */
export interface OcsfOptions {
  /** What the app is called, as the service that is logged on to. Default `countersign`. */
  readonly service?: string
}

/** Options of {@link ocsfSink}. */
export interface OcsfSinkOptions extends OcsfOptions {
  /** Takes each event: to a file, a queue, a collector. */
  readonly write: (event: OcsfEvent) => void | PromiseLike<void>
}

const SEVERITIES = {
  info: { severity_id: 1, severity: 'Informational' },
  warning: { severity_id: 3, severity: 'Medium' },
  critical: { severity_id: 5, severity: 'Critical' },
} as const

const STATUSES = {
  success: { status_id: 1, status: 'Success' },
  failure: { status_id: 2, status: 'Failure' },
  error: { status_id: 2, status: 'Failure' },
} as const

/** The enumeration of `http_method`. */
const METHODS: ReadonlySet<string> = new Set([
  'CONNECT',
  'DELETE',
  'GET',
  'HEAD',
  'OPTIONS',
  'PATCH',
  'POST',
  'PUT',
  'TRACE',
])

const UNKNOWN = 'unknown'
const OAUTH_2 = { auth_protocol_id: 6, auth_protocol: 'OAUTH 2.0' }
const USER_TYPES: Readonly<Record<string, { type_id: number; type: string }>> = {
  hmac: { type_id: 4, type: 'Service' },
  'settings-session': { type_id: 1, type: 'User' },
}

/**
 * An event in the Open Cybersecurity Schema Framework: decisions as Authentication (3002), what gives a session or an
 * agent its rights as Authorize Session (3003), and refusals for a lack of rights and changes of state as API Activity
 * (6003). What was seen and expected is the `status_detail` of a failure, and what a credential allows its `privileges`. What
 * OCSF has no attribute for is under `unmapped`.
 *
 * Source: https://schema.ocsf.io/1.5.0
 */
export function toOcsf(event: AuditEvent, { service = 'countersign' }: OcsfOptions = {}): OcsfEvent {
  const { class: classUid, activity } = activityOf(event)
  return defined({
    class_uid: classUid,
    class_name: CLASS_NAMES[classUid],
    ...(classUid === 6003
      ? { category_uid: 6 as const, category_name: 'Application Activity' }
      : { category_uid: 3 as const, category_name: 'Identity & Access Management' }),
    activity_id: activity,
    activity_name: ACTIVITY_NAMES[classUid][activity],
    type_uid: classUid * 100 + activity,
    type_name: `${CLASS_NAMES[classUid]}: ${ACTIVITY_NAMES[classUid][activity]}`,
    time: Date.parse(event.time),
    ...SEVERITIES[event.severity],
    ...STATUSES[event.outcome],
    status_code: event.reason,
    status_detail: event.outcome === 'success' ? undefined : describeAttributes(event),
    message: describeEvent(event),
    duration: event.latencyMs === undefined ? undefined : Math.round(event.latencyMs),
    metadata: metadataOf(event),
    src_endpoint: sourceOf(event, service),
    http_request: requestOf(event),
    http_response: event.http?.status === undefined ? undefined : { code: event.http.status },
    ...ofClass[classUid](event, service),
    unmapped: unmappedOf(event),
  })
}

/**
 * A sink that hands each event on in OCSF.
 *
 * @throws {OptionError}
 * @example
 * audit.subscribe(ocsfSink({ service: 'billing', write: (event) => collector.send(event) }))
 */
export function ocsfSink(options: OcsfSinkOptions): AuditSink {
  const rules = {
    service: option.string().default('countersign'),
    write: option.func<OcsfSinkOptions['write']>().required(),
  }
  const { service, write } = resolveOptions('ocsfSink', options, rules)
  return { name: 'ocsf', write: (event) => write(toOcsf(event, { service })) }
}

type OfClass = (event: AuditEvent, service: string) => Record<string, unknown>

const ofClass: Readonly<Record<OcsfClass, OfClass>> = {
  3002: (event, service) => ({
    user: userOf(event),
    service: { name: service },
    session: sessionOf(event),
    is_remote: true,
    ...(event.gate === 'oauth-bearer' ? OAUTH_2 : { auth_protocol_id: 99, auth_protocol: event.gate || 'other' }),
  }),
  3003: (event) => ({
    user: userOf(event),
    session: sessionOf(event),
    privileges: privilegesOf(event),
  }),
  6003: (event, service) => ({
    actor: { app_name: service, ...(event.principal && { user: userOf(event) }) },
    api: {
      operation: event.type,
      service: { name: service },
      ...(event.reason && { response: { error: event.reason } }),
    },
    resources: event.credential?.id ? [{ uid: event.credential.id, type: 'credential' }] : undefined,
  }),
}

function metadataOf({ id, type, time, http }: AuditEvent) {
  return defined({
    version: OCSF_VERSION,
    product: { name: 'Countersign', vendor_name: 'Countersign' },
    uid: id,
    event_code: type,
    log_name: 'audit',
    original_time: time,
    correlation_uid: http?.requestId,
  })
}

function userOf({ principal }: AuditEvent) {
  const id = principal?.id || UNKNOWN
  const kind = principal?.kind || UNKNOWN
  return { uid: id, name: id, ...(Object.hasOwn(USER_TYPES, kind) ? USER_TYPES[kind] : { type_id: 99, type: kind }) }
}

/** What an agent's credential allows, as far as it fits into the event; of a session, that it is one. */
function privilegesOf({ type, attributes }: AuditEvent): readonly string[] {
  const capabilities = (attributes?.capabilities ?? '')
    .split(' ')
    .filter((name) => name !== '' && !name.startsWith('…'))
  return capabilities.length > 0 ? capabilities : [type]
}

function sessionOf({ credential }: AuditEvent) {
  return credential?.id ? { uid: credential.id } : undefined
}

function sourceOf({ http }: AuditEvent, service: string) {
  const ip = addressOf(http?.clientAddress)
  return ip === undefined ? { svc_name: service } : { ip }
}

/** OCSF's `ip_t`: at most 40 characters, without a zone. What a proxy says may be none. */
function addressOf(text: string | undefined): string | undefined {
  const [address = ''] = (text ?? '').split('%')
  return isIP(address) !== 0 && address.length <= 40 ? address : undefined
}

function requestOf({ http }: AuditEvent) {
  if (http === undefined) return undefined
  const { method, route, requestId, userAgent } = http
  return defined({
    http_method: METHODS.has(method) ? method : undefined,
    url: { path: route || '*' },
    uid: requestId,
    user_agent: userAgent,
  })
}

function unmappedOf({ gate, owasp, outcome, credential, latencyMs, storeMs, attributes, http }: AuditEvent) {
  const client_address = addressOf(http?.clientAddress) === undefined ? http?.clientAddress : undefined
  const http_method = http !== undefined && !METHODS.has(http.method) ? http.method : undefined
  return defined({ gate, owasp, outcome, credential, latencyMs, storeMs, attributes, client_address, http_method })
}

/** Without members that say nothing. */
function defined<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined && member !== '')) as T
}
