import { usageError } from './command-error.js'

/** @throws {CommandError} for what is not an absolute http URL. */
export function parseUrl(url: string): URL {
  const parsed = URL.canParse(url) ? new URL(url) : undefined
  if (parsed === undefined || !/^https?:$/.test(parsed.protocol)) {
    throw usageError(`${JSON.stringify(url.slice(0, 200))} is not a URL: it must be absolute, as https://host/path`)
  }
  if (parsed.username !== '' || parsed.password !== '') {
    throw usageError('the URL holds a user or a password: leave them out, the command line is seen by everyone')
  }
  return parsed
}
