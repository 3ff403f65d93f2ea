import { type IncomingMessage, ServerResponse } from 'node:http'
import type { Response } from 'express'

type Method = (...given: unknown[]) => unknown
type Methods = Record<string, Method>

/** What changes the head, and throws once it is sent. */
const CHANGES = ['setHeader', 'setHeaders', 'appendHeader', 'removeHeader']

/** The head of a response: final for the app as soon as Node would have it so, and kept until a byte may be sent. */
export interface LateHead {
  /** The app has begun the body: from here on its head is sent, as far as the app can see. */
  commit(): void
  /** From here on the response is Node's own again, and so is what is mounted outside. */
  release(): void
  /** Whether bytes of the head may have left. */
  isSent(): boolean
}

/**
 * Keeps the head of a response back. `headersSent`, `writeHead` and what changes headers behave as Node's, errors included;
 * nothing that is mounted outside hears of the head before {@link LateHead.release}. HTTP/2 sends a head at once, so there
 * `writeHead` releases it.
 *
 * @param onCommit Looks at the head when it is final. False when it must not be sent.
 */
export function delayHead(response: Response, isHttp2: boolean, onCommit: () => boolean): LateHead {
  const methods = response as unknown as Methods
  const isSent = getterOf(response, 'headersSent')
  let committed: { readonly status: number; readonly message: string } | undefined
  let isReleased = false

  const head: LateHead = {
    commit() {
      if (isReleased || committed !== undefined) return
      committed = { status: response.statusCode, message: isHttp2 ? '' : response.statusMessage }
      onCommit()
    },
    release() {
      if (isReleased) return
      isReleased = true
      // What the app has set since comes too late, as it does with Node.
      if (committed === undefined) return
      response.statusCode = committed.status
      if (!isHttp2) response.statusMessage = committed.message
    },
    isSent,
  }

  const isLocked = () => !isReleased && committed !== undefined
  for (const name of CHANGES) {
    const original = methods[name]
    if (typeof original !== 'function') continue
    methods[name] = (...given) =>
      isLocked() ? (sentResponse() as unknown as Methods)[name]?.(...given) : original.apply(response, given)
  }

  const writeHead = response.writeHead as unknown as Method
  const lateWriteHead: Method = (...given) => {
    if (isReleased) return writeHead.apply(response, given)
    if (isLocked()) return (sentResponse() as unknown as Methods).writeHead?.(...given)
    setHead(response, isHttp2, given)
    head.commit()
    if (!isHttp2 || isReleased) return response
    head.release()
    return writeHead.call(response, response.statusCode)
  }
  methods.writeHead = lateWriteHead
  if ('writeHeader' in response) methods.writeHeader = lateWriteHead

  const implicitHeader = methods._implicitHeader
  // Sessions and compression call it when `_header` is not set.
  if (typeof implicitHeader === 'function') {
    methods._implicitHeader = () => (isLocked() ? undefined : implicitHeader.call(response))
  }
  Object.defineProperty(response, 'headersSent', {
    configurable: true,
    enumerable: true,
    get: () => isLocked() || isSent(),
  })
  return head
}

/** What `writeHead` was given, as settings of the response. Throws what Node would throw for it. */
function setHead(response: Response, isHttp2: boolean, given: unknown[]): void {
  if (!isHttp2) {
    const nodes = Object.assign(newResponse(), { statusMessage: response.statusMessage })
    ;(nodes as unknown as Methods).writeHead?.(...given)
    response.statusMessage = nodes.statusMessage
  }
  const [status, reason] = given
  const headers = given[2] ?? (typeof reason === 'string' ? undefined : reason)
  response.statusCode = Number(status) | 0
  if (headers === null || typeof headers !== 'object') return
  if (!Array.isArray(headers)) {
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value as string)
    return
  }
  const pairs = headers.every(Array.isArray) ? headers : pairsOf(headers)
  for (const [name] of pairs) response.removeHeader(String(name))
  for (const [name, value] of pairs) response.appendHeader(String(name), value as string)
}

function pairsOf(list: readonly unknown[]): readonly (readonly unknown[])[] {
  return list.flatMap((name, index) => (index % 2 === 0 ? [[name, list[index + 1]]] : []))
}

function newResponse(): ServerResponse {
  return new ServerResponse({ method: 'GET', httpVersionMajor: 1, httpVersionMinor: 1 } as IncomingMessage)
}

let sent: ServerResponse | undefined
/** A response whose head is sent: its methods throw what Node's throw. */
function sentResponse(): ServerResponse {
  sent ??= newResponse().writeHead(200)
  return sent
}

function getterOf(object: object, name: string): () => boolean {
  for (let owner: object | null = object; owner !== null; owner = Object.getPrototypeOf(owner)) {
    const get = Object.getOwnPropertyDescriptor(owner, name)?.get
    if (get !== undefined) return () => get.call(object) === true
  }
  return () => false
}
