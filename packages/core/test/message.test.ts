import { request as httpRequest } from 'node:http'
import { fieldLines } from '@countersign/core/gate-kit'
import { describe, expect, test } from '@jest/globals'
import express from 'express'
import fc from 'fast-check'
import { serve } from '../../../test/support/http-server.js'

/** What a server reads in a request with these lines, beside what Node says of it. */
async function read(name: string, lines: readonly string[]): Promise<{ ours: readonly string[]; nodes: unknown }> {
  let seen: { ours: readonly string[]; nodes: unknown } | undefined
  const app = express().use((request, response) => {
    seen = { ours: fieldLines(request, name), nodes: request.headersDistinct[name] }
    response.end()
  })
  const running = await serve(app)
  await new Promise<void>((resolve, reject) => {
    const outgoing = httpRequest(running.url, (response) => response.resume().on('end', resolve))
    if (lines.length > 0) outgoing.setHeader(name.replace(/^x/, 'X'), lines as string[])
    outgoing.on('error', reject).end()
  })
  await running.close()
  return seen as { ours: readonly string[]; nodes: unknown }
}

describe('the lines of a field', () => {
  test.each([
    ['none', []],
    ['one', ['a']],
    ['two that are equal', ['a', 'a']],
    ['three in their order', ['c', 'a', 'b, d']],
  ])('are those that came: %s', async (_title, lines) => {
    const { ours, nodes } = await read('x-badge', lines)
    expect(ours).toEqual(lines)
    expect(nodes).toEqual(lines.length === 0 ? undefined : lines)
  })

  test('are found whatever the case of the name, and not under a longer or a shorter one', () => {
    const rawHeaders = ['AUTHORIZATION', '1', 'authorizatio', '2', 'Authorization', '3', 'xauthorization', '4']
    expect(fieldLines({ rawHeaders }, 'authorization')).toEqual(['1', '3'])
  })

  test('are all there, for any headers', () => {
    const name = fc.constantFrom('a', 'A', 'ab', 'Ab', 'b')
    fc.assert(
      fc.property(fc.array(fc.tuple(name, fc.string())), (pairs) => {
        const expected = pairs.filter(([key]) => key.toLowerCase() === 'ab').map(([, value]) => value)
        expect(fieldLines({ rawHeaders: pairs.flat() }, 'ab')).toEqual(expected)
      }),
    )
  })
})
