/** The object that a field holds as JSON; undefined for anything else. */
export function parseObject(text: string | undefined): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text ?? '')
    return value !== null && typeof value === 'object' && !Array.isArray(value)
      ? (value as Readonly<Record<string, unknown>>)
      : undefined
  } catch {
    return undefined
  }
}

/** An id of Telegram as a text; undefined for what is none. */
export function idOf(value: unknown): string | undefined {
  return Number.isSafeInteger(value) ? String(value) : undefined
}

/** A member of that name, when the value is a text. */
export function textIn<N extends string>(name: N, value: unknown): { readonly [K in N]?: string } {
  return typeof value === 'string' ? ({ [name]: value } as { readonly [K in N]: string }) : {}
}
