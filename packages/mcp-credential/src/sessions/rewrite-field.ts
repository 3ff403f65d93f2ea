import type { IncomingMessage } from 'node:http'

/**
 * Replaces the value of a field that came once, in all three places: the MCP SDK's transports build their request from
 * `rawHeaders`.
 */
export function rewriteField(request: IncomingMessage, name: string, value: string): void {
  const { headers, rawHeaders } = request
  headers[name] = value
  for (let index = 0; index < rawHeaders.length; index += 2) {
    if ((rawHeaders[index] as string).toLowerCase() === name) rawHeaders[index + 1] = value
  }
  // Read after that, it is made from the raw lines; read before, Node has kept it.
  const distinct: NodeJS.Dict<string[]> | undefined = request.headersDistinct
  if (distinct?.[name] !== undefined) distinct[name] = [value]
}
