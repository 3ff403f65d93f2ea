import { reasonPage } from '../homepage.js'
import type { AuditEvent } from './event.js'

/**
 * An event in one line for people: its type, the gate, method and route, then what else it has as `name=value`. A value
 * with a space or a quote in it stands in quotes. The strings of an event hold no line break, so neither does the line. What
 * a gate of this suite did not grant ends with the page of its reason.
 *
 * @example
 * access.denied hmac POST /internal status=401 reason=bad_signature principal=unknown from=127.0.0.1 ms=0.412 see=https://…/errors/reasons#hmac-bad_signature
 */
export function eventLine({ type, gate, reason, principal, credential, http, latencyMs, ...rest }: AuditEvent): string {
  const { id, storeMs, attributes } = rest
  const isRefusal = type === 'access.denied' || type === 'access.unavailable'
  const see = isRefusal && reason !== undefined ? reasonPage(gate ?? '', reason) : undefined
  const members = {
    status: http?.status,
    reason,
    principal: principal?.id,
    credential: credential?.id,
    from: http?.clientAddress,
    // Without an id of the app's, the request has that of the event.
    request: http?.requestId === id ? undefined : http?.requestId,
    ms: latencyMs,
    store_ms: storeMs,
    ...attributes,
    ...(see === undefined ? {} : { see }),
  }
  const pairs = Object.entries(members).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${quoted(String(value))}`],
  )
  return [type, gate, http?.method, http?.route, ...pairs].filter((part) => part !== undefined).join(' ')
}

function quoted(value: string): string {
  return value === '' || /[\s"=]/.test(value) ? JSON.stringify(value) : value
}
