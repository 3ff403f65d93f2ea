import { request as httpRequest, type IncomingMessage } from 'node:http'

export interface Sent {
  readonly status: number
  readonly headers: Record<string, string | string[] | undefined>
  readonly text: string
}

export interface Wire {
  readonly method?: string
  readonly path?: string
  /** A list is as many fields. */
  readonly headers?: Record<string, string | string[]>
  readonly body?: string | Uint8Array | undefined
}

/** One request as it is written: a header may be a list of fields, the target is not normalised. */
export function wire(port: number, { method = 'GET', path = '/', headers = {}, body }: Wire = {}): Promise<Sent> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      { host: '127.0.0.1', port, method, path, agent: false, headers, maxHeaderSize: 1_000_000 },
      (response) => readAnswer(response).then(resolve, reject),
    )
    request.on('error', reject)
    request.end(body)
  })
}

/** An answer, read to its end. */
export async function readAnswer(response: IncomingMessage): Promise<Sent> {
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk as Buffer)
  return { status: response.statusCode ?? 0, headers: response.headers, text: Buffer.concat(chunks).toString() }
}
