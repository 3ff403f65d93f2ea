import { get } from 'node:http'
import type { RequestHandler } from 'express'

/** What a client sees of a stream. */
export interface OpenStream {
  readonly text: string
  readonly isOpen: boolean
  /** Goes away, as a client does. */
  close(): void
}

/** Opens a stream, and tells what came and when it ended. */
export async function openStream(
  port: number,
  authorization: string,
  accept = 'text/event-stream',
): Promise<OpenStream> {
  const state = { text: '', isOpen: true, close: (): void => undefined }
  await new Promise<void>((resolve, reject) => {
    const headers = { authorization, accept }
    const request = get({ host: '127.0.0.1', port, path: '/', headers, agent: false }, (response) => {
      response.on('data', (chunk: Buffer) => {
        state.text += chunk.toString()
        resolve()
      })
      response.on('close', () => {
        state.isOpen = false
      })
      response.on('error', () => undefined)
    }).on('error', reject)
    state.close = () => void request.destroy()
  })
  return state
}

/** Waits for a condition, for as long as a test may last. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 10))
}

/** Sends an event immediately and continues, also after the response was cut. */
export const streaming: RequestHandler = (_request, response) => {
  response.writeHead(200, { 'Content-Type': 'text/event-stream' })
  response.write('data: 0\n\n')
  // To a client that has gone no close will come any more: nothing may wait for it.
  const timer = setInterval(() => response.write('data: more\n\n'), 20).unref()
  response.on('close', () => setTimeout(() => clearInterval(timer), 200))
}
