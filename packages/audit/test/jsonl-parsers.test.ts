import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { readCutLine, readLink } from '../src/jsonl/chain.js'
import { splitLines } from '../src/jsonl/split-lines.js'

describe('the parsers of the file', () => {
  test('[audit-jsonl-parsers] a link never throws, and what it accepts is printed back identically', async () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.string({ unit: 'binary' }).map((text) => Buffer.from(text)),
    )
    fc.assert(fc.property(bytes, (line) => readLink(Buffer.from(line)) === undefined))
    const hex = fc.stringMatching(/^[0-9a-f]{64}$/)
    const id = fc.stringMatching(/^[0-9a-f]{16}$/)
    fc.assert(
      fc.property(id, hex, hex, fc.json(), (chain, previous, hash, json) => {
        const line = `{"chain":"${chain}","previous":"${previous}","event":${json},"hash":"${hash}"}`
        expect(readLink(Buffer.from(line))).toEqual({ chain, previous, hash, isTrue: false })
        const first = `{"chain":"${chain}","previous":"${previous}","after":"${hash}","event":1,"hash":"${hash}"}`
        expect(readLink(Buffer.from(first))).toEqual({ chain, previous, after: hash, hash, isTrue: false })
        for (const length of [1, 20, 60, 105]) expect(readCutLine(Buffer.from(line.slice(0, length)))).toEqual({})
        expect(readCutLine(Buffer.from(line.slice(0, 106)))).toEqual({ chain, previous })
        expect(readCutLine(Buffer.from(line))).toBeUndefined()
      }),
    )
    fc.assert(fc.property(bytes, (line) => [undefined, '{}'].includes(JSON.stringify(readCutLine(Buffer.from(line))))))
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
