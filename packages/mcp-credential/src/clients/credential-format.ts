// Imports nothing: the header helper is started with it at each connection.

/** What the file of a header helper holds. */
export function credentialText(authorization: string): string {
  return `${JSON.stringify({ version: 1, headers: { Authorization: authorization } })}\n`
}

/** The header in such a file; undefined when it is another text. */
export function authorizationIn(text: string): string | undefined {
  try {
    const { version, headers } = JSON.parse(text) as { version?: unknown; headers?: { Authorization?: unknown } }
    const authorization = headers?.Authorization
    return version === 1 && typeof authorization === 'string' ? authorization : undefined
  } catch {
    return undefined
  }
}
