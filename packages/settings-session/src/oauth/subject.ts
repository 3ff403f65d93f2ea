/** A person's id: at most 255 characters (OpenID Connect Core §2); some providers have numbers. */
export function subjectFrom(value: unknown): string {
  if (typeof value === 'string' && value !== '' && value.length <= 255) return value
  if (typeof value === 'number' && Number.isSafeInteger(value)) return String(value)
  throw new Error('the answer does not identify a person')
}

/** The member of a name, or else the one at the end of a path with dots, such as `data.id` or `data.0.id`. */
export function memberAt(answer: unknown, path: string): unknown {
  const direct = ownMember(answer, path)
  if (direct !== undefined) return direct
  return path.split('.').reduce(ownMember, answer)
}

function ownMember(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined
  return (value as Readonly<Record<string, unknown>>)[name]
}
