import { randomUUID } from 'node:crypto'
import { MAX_TEXT } from './attributes.js'
import type { AuditAttributes, AuditCredential, AuditEvent, AuditEventInput, AuditHttp } from './event.js'
import { type AuditEventType, type AuditOutcome, type AuditSeverity, auditEventTypes } from './event-types.js'

const MAX_ATTRIBUTES = 32
const OUTCOMES: ReadonlySet<unknown> = new Set<AuditOutcome>(['success', 'failure', 'error'])
const SEVERITIES: ReadonlySet<unknown> = new Set<AuditSeverity>(['info', 'warning', 'critical'])
const UNKNOWN_TYPE = { outcome: 'error', severity: 'warning' } as const
// C0, DEL, C1, the line and paragraph separators, and the bidirectional controls that make a terminal lie.
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/
const ALL_UNSAFE = new RegExp(UNSAFE, 'g')

/** Caps a string at 256 UTF-16 units and strips what could forge or garble a log line. */
export function safeString(value: string): string {
  const capped = value.length > MAX_TEXT ? value.slice(0, MAX_TEXT) : value
  const clean = UNSAFE.test(capped) ? capped.replace(ALL_UNSAFE, '') : capped
  return clean.isWellFormed() ? clean : clean.toWellFormed()
}

/** The text of a value that a caller without types may hand over; nothing here may throw. */
function text(value: unknown): string {
  if (typeof value === 'string') return safeString(value)
  return typeof value === 'object' || typeof value === 'function' ? `[${typeof value}]` : safeString(String(value))
}

/** Names that were found safe. Bounded, since a caller may make them up. */
const safeNames = new Set<string>()
const MAX_NAMES = 1000

/** As {@link text}, of what one event has as the other does: types, gates, reasons, routes, names of attributes. */
function nameText(value: unknown): string {
  if (safeNames.has(value as string)) return value as string
  const safe = text(value)
  if (safe === value && safeNames.size < MAX_NAMES) safeNames.add(safe)
  return safe
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

// What is undefined is left out, so that an event reads the same before and after JSON. Setting it and deleting it again
// would cost more than all the rest.
function setString<K extends string>(target: { [_ in K]?: string | undefined }, name: K, value: unknown): void {
  if (value !== undefined && value !== null) target[name] = text(value)
}

function setName<K extends string>(target: { [_ in K]?: string | undefined }, name: K, value: unknown): void {
  if (value !== undefined && value !== null) target[name] = nameText(value)
}

/** Only a number that JSON can hold: `NaN` and the infinities would become `null` there, and -0 becomes 0. */
function setNumber<K extends string>(target: { [_ in K]?: number | undefined }, name: K, value: unknown): void {
  if (Number.isFinite(value)) target[name] = (value as number) + 0
}

function safeAttributes(attributes: AuditAttributes): AuditAttributes {
  const safe: Record<string, string | number | boolean> = {}
  for (const name of Object.keys(attributes).slice(0, MAX_ATTRIBUTES)) {
    const value = attributes[name]
    const key = nameText(name)
    // Assigned, it would be a prototype and not an attribute.
    if (key === '__proto__') Object.defineProperty(safe, key, { value: text(value), enumerable: true })
    else if (typeof value === 'boolean') safe[key] = value
    else if (typeof value === 'number' && Number.isFinite(value)) safe[key] = value + 0
    else if (value !== undefined && value !== null) safe[key] = text(value)
  }
  return Object.freeze(safe)
}

function safeCredential({ id, version, fingerprint }: AuditCredential): AuditCredential {
  const safe: Mutable<AuditCredential> = {}
  setString(safe, 'id', id)
  setNumber(safe, 'version', version)
  setString(safe, 'fingerprint', fingerprint)
  return Object.freeze(safe)
}

function safeHttp(http: AuditHttp, eventId: string): AuditHttp {
  const safe: Mutable<AuditHttp> = { method: nameText(http.method), route: nameText(http.route) }
  setNumber(safe, 'status', http.status)
  safe.requestId = typeof http.requestId === 'string' ? safeString(http.requestId) : eventId
  setString(safe, 'clientAddress', http.clientAddress)
  setString(safe, 'userAgent', http.userAgent)
  return Object.freeze(safe)
}

let lastSecond = Number.NaN
let lastText = ''
const MILLISECONDS: readonly string[] = Array.from({ length: 1000 }, (_, ms) => `${String(ms).padStart(3, '0')}Z`)

/** ISO 8601. Many events have the same second: then only the milliseconds are written. */
function isoTime(nowMs: number): string {
  const whole = Math.trunc(nowMs)
  const second = Math.floor(whole / 1000)
  if (second !== lastSecond) {
    lastText = new Date(second * 1000).toISOString().slice(0, -'000Z'.length)
    lastSecond = second
  }
  return `${lastText}${MILLISECONDS[whole - second * 1000]}`
}

/** The event as sinks see it: completed, made safe, frozen. */
export function completeEvent(input: AuditEventInput, nowMs: number): AuditEvent {
  // A caller without types may name one that is not in the catalogue: reported all the same, as an anomaly.
  const defaults = Object.hasOwn(auditEventTypes, input.type) ? auditEventTypes[input.type] : UNKNOWN_TYPE
  const id = randomUUID()
  const event: Mutable<AuditEvent> = {
    schema: 1,
    id,
    time: isoTime(nowMs),
    type: nameText(input.type) as AuditEventType,
    outcome: OUTCOMES.has(input.outcome) ? (input.outcome as AuditOutcome) : defaults.outcome,
    severity: SEVERITIES.has(input.severity) ? (input.severity as AuditSeverity) : defaults.severity,
  }
  setName(event, 'gate', input.gate)
  setName(event, 'reason', input.reason)
  setName(event, 'owasp', input.owasp)
  if (input.principal) {
    event.principal = Object.freeze({ kind: nameText(input.principal.kind), id: text(input.principal.id) })
  }
  if (input.credential) event.credential = safeCredential(input.credential)
  if (input.http) event.http = safeHttp(input.http, id)
  setNumber(event, 'latencyMs', input.latencyMs)
  setNumber(event, 'storeMs', input.storeMs)
  if (input.attributes) event.attributes = safeAttributes(input.attributes)
  return Object.freeze(event)
}
