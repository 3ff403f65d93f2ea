import type { Dictionary, Item, Parameters } from 'structured-headers'

const KEY = '[a-z*][a-z0-9_.*-]*'
// Without a quote or a backslash, which are escaped, and in parameters without a semicolon, so that they can be split.
const TEXT = '"[ !#-\\[\\]-~]*"'
const PARAMETER = `;${KEY}=(?:"[ !#-:<-\\[\\]-~]*"|0|[1-9]\\d{0,14})`
const BYTES = new RegExp(`^(${KEY})=:([A-Za-z0-9+/]+={0,2}):$`)
const INNER_LIST = new RegExp(`^(${KEY})=\\((${TEXT}(?: ${TEXT})*)\\)((?:${PARAMETER})*)$`)
const NO_PARAMETERS: Parameters = new Map()

/**
 * Reads what nearly every request sends: a dictionary (RFC 9651 §3.2) of one member, a byte sequence or an inner list of
 * strings, in the one spelling that a serialiser prints. Undefined for every other form, legal or not: that is for the
 * library, whose parsing and printing again costs more than the rest of a verification.
 */
export function parsePlainDictionary(text: string): Dictionary | undefined {
  return parseBytes(text) ?? parseInnerList(text)
}

function parseBytes(text: string): Dictionary | undefined {
  const [, key, base64] = BYTES.exec(text) ?? []
  if (key === undefined || base64 === undefined) return undefined
  const bytes = Buffer.from(base64, 'base64')
  return bytes.toString('base64') === base64 ? new Map([[key, [bytes, NO_PARAMETERS]]]) : undefined
}

function parseInnerList(text: string): Dictionary | undefined {
  const [, key, list, tail] = INNER_LIST.exec(text) ?? []
  if (key === undefined || list === undefined || tail === undefined) return undefined
  const parameters = parseParameters(tail)
  if (parameters === undefined) return undefined
  const items = list
    .slice(1, -1)
    .split('" "')
    .map((value): Item => [value, NO_PARAMETERS])
  return new Map([[key, [items, parameters]]])
}

/** Undefined when a key comes twice. */
function parseParameters(tail: string): Parameters | undefined {
  const parameters: Parameters = new Map()
  const [, ...parts] = tail.split(';')
  for (const part of parts) {
    const end = part.indexOf('=')
    const value = part.slice(end + 1)
    parameters.set(part.slice(0, end), value.startsWith('"') ? value.slice(1, -1) : Number(value))
  }
  return parameters.size === parts.length ? parameters : undefined
}
