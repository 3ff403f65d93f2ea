import type { IncomingMessage } from 'node:http'

const NAME = 'authorization'

/**
 * Removes the credential from a request, from all three places: the MCP SDK's transports build their request from
 * `rawHeaders`, so a handler could pass it on from there.
 */
export function stripAuthorization(request: IncomingMessage): void {
  // Read first: Node makes `headers` from as many raw lines as there were.
  delete request.headers[NAME]
  const { rawHeaders } = request
  if (stripLines(rawHeaders)) Object.defineProperty(request, 'headersDistinct', LAZY)
  // An adapter without raw lines may have made it itself.
  else if (rawHeaders.length === 0) delete (request.headersDistinct as NodeJS.Dict<string[]> | undefined)?.[NAME]
}

/** Whether there were such lines. */
function stripLines(rawHeaders: string[]): boolean {
  let left = 0
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] as string
    if (isStripped(name)) continue
    rawHeaders[left] = name
    rawHeaders[left + 1] = rawHeaders[index + 1] as string
    left += 2
  }
  const isShorter = left < rawHeaders.length
  rawHeaders.length = left
  return isShorter
}

/**
 * In place of Node's `headersDistinct`, which would read as many raw lines as there were. It is made from the lines that
 * are left when it is read, which few handlers do: making it eagerly costs 11 % of a decision (Node 24).
 */
const LAZY: PropertyDescriptor & ThisType<IncomingMessage> = {
  configurable: true,
  enumerable: true,
  get() {
    const distinct = distinctOf(this.rawHeaders)
    this.headersDistinct = distinct
    return distinct
  },
  set(value: IncomingMessage['headersDistinct']) {
    Object.defineProperty(this, 'headersDistinct', { value, configurable: true, enumerable: true, writable: true })
  },
}

function distinctOf(rawHeaders: readonly string[]): IncomingMessage['headersDistinct'] {
  // Without a prototype: a field may be called `__proto__`.
  const distinct: Record<string, string[]> = Object.create(null)
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = (rawHeaders[index] as string).toLowerCase()
    if (name === NAME) continue
    const value = rawHeaders[index + 1] as string
    const values = distinct[name]
    if (values === undefined) distinct[name] = [value]
    else values.push(value)
  }
  return distinct
}

function isStripped(name: string): boolean {
  return name.length === NAME.length && name.toLowerCase() === NAME
}
