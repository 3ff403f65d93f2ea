import { createHmac } from 'node:crypto'

export const encode = (value: unknown) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')

/** A compact JWS of whatever is given: objects, or the text of one. Not signed, unless with `hmacKey`. */
export function forge(
  header: unknown,
  payload: unknown,
  signature = encode('none'),
  hmacKey?: string | Buffer,
): string {
  const input = `${encode(header)}.${encode(payload)}`
  if (hmacKey === undefined) return `${input}.${signature}`
  return `${input}.${createHmac('sha256', hmacKey).update(input).digest('base64url')}`
}

/** The parts of a token, decoded. */
export function parts(token: string): { header: Record<string, unknown>; claims: Record<string, unknown> } {
  const [header = '', claims = ''] = token.split('.').map((part) => Buffer.from(part, 'base64url').toString())
  return { header: JSON.parse(header), claims: JSON.parse(claims) }
}
