import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { readLink } from '../src/jsonl/chain.js'
import { splitLines } from '../src/jsonl/split-lines.js'

describe('the parsers of the file', () => {
  test('[audit-jsonl-parsers] a link never throws, and what it accepts is printed back identically', async () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.string({ unit: 'binary' }).map((text) => Buffer.from(text)),
    )
    fc.assert(fc.property(bytes, (line) => readLink(Buffer.from(line)) === undefined))
    const hex = fc.stringMatching(/^[0-9a-f]{64}$/)
    fc.assert(
      fc.property(hex, hex, fc.json(), (previous, hash, json) => {
        const line = `{"previous":"${previous}","event":${json},"hash":"${hash}"}`
        expect(readLink(Buffer.from(line))).toEqual({ previous, hash, isTrue: false })
      }),
    )
  })

  test('[audit-jsonl-parsers] lines are the same however the file is cut into chunks', async () => {
    const chunks = fc.array(fc.oneof(fc.string({ maxLength: 20 }), fc.constant('\n')), { maxLength: 20 })
    await fc.assert(
      fc.asyncProperty(chunks, async (parts) => {
        async function* stream() {
          for (const part of parts) yield Buffer.from(part)
        }
        const lines: string[] = []
        for await (const { bytes, isEnded } of splitLines(stream()))
          lines.push(bytes.toString() + (isEnded ? '\n' : ''))
        expect(lines.join('')).toBe(parts.join(''))
        expect(lines.every((line) => line.indexOf('\n') === -1 || line.indexOf('\n') === line.length - 1)).toBe(true)
      }),
    )
  })
})
