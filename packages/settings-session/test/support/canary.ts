import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { format, inspect } from 'node:util'
import { AUDIT_CHANNEL } from '@countersign/core/gate-kit'
import { afterAll, expect } from '@jest/globals'
import { TOKEN_ANYWHERE } from '../../src/tokens.js'

const found: string[] = []

/** Keeps what a test file logs, reports or throws where it holds a token of ours; the end of the file fails with it. */
export function hear(message: unknown): void {
  const text = typeof message === 'string' ? message : inspect(message, { depth: 10, showHidden: true })
  if (TOKEN_ANYWHERE.test(text)) found.push(text)
}

const streams = [process.stdout, process.stderr] as const
const writes = streams.map((stream) => stream.write)
streams.forEach((stream, index) => {
  stream.write = function write(this: typeof stream, chunk: string | Uint8Array, ...rest: never[]) {
    hear(String(chunk))
    return writes[index]?.call(stream, chunk as string, ...rest) ?? true
  } as typeof stream.write
})
// Jest's console does not write to the streams.
const methods = ['debug', 'error', 'info', 'log', 'trace', 'warn'] as const
for (const method of methods) {
  const write = console[method].bind(console)
  console[method] = (...parts: unknown[]) => {
    hear(format(...parts))
    write(...parts)
  }
}
subscribe(AUDIT_CHANNEL, hear)
process.on('warning', hear)

afterAll(() => {
  unsubscribe(AUDIT_CHANNEL, hear)
  process.off('warning', hear)
  streams.forEach((stream, index) => {
    stream.write = writes[index] as typeof stream.write
  })
  expect(found).toEqual([])
})
