import { test } from '@jest/globals'
import { expectLinearTime, type Frame, type ParserRow, parsersOf } from '../../../test/support/linear-time.js'
import { discoveryGuard } from '../src/discovery-guard.js'
import { readLoneToken, readToken } from '../src/read.js'
import { isCredentialId, parseToken } from '../src/token.js'
import { demandTools } from '../src/tools/demand-tools.js'
import { compileTools } from '../src/tools/rules.js'

const ID = `${'a'.repeat(40)}_`
const around: readonly Frame[] = [(run) => run, (run) => `mcps_${run}`, (run) => `mcps_${ID}${run}`]
const capabilitiesOf = compileTools({ 'preview_*': 'preview', '*_a*b*_c': 'preview', '*': 'any' })

const called = (body: unknown, headers: Record<string, string> = {}) =>
  demandTools(
    { method: 'POST', headers, body, rawHeaders: [], readableDidRead: true, readableEnded: true } as never,
    { outcome: 'granted', principal: { capabilities: ['preview'] } as never },
    { capabilitiesOf, maxBodyBytes: 4 * 1024 * 1024, prefix: 'mcps' },
  )
const tool = (name: string) => ({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name } })

const PARSERS: readonly ParserRow[] = [
  [
    'Authorization',
    (text) => readToken({ rawHeaders: ['authorization', text] } as never, 'mcps'),
    [
      ...around,
      ...around.map(
        (frame): Frame =>
          (run) =>
            `Bearer ${frame(run)}`,
      ),
      (run) => `Bearer a${run}a`,
    ],
  ],
  ['a token', (text) => parseToken('mcps', text), around],
  ['a token alone', (text) => readLoneToken(text, 'mcps'), around],
  ['an id', isCredentialId],
  ['a path', (text) => discoveryGuard()({ path: text } as never, {} as never, () => undefined), [(run) => `/${run}`]],
  ['the name of a tool', (text) => called(tool(text)), [...around, (run) => `_a${run}b`, (run) => `preview_${run}`]],
  [
    'Mcp-Name',
    (text) => called(tool('preview_a'), { 'mcp-name': text }),
    [(run) => run, (run) => `=?base64?${run}`, (run) => `=?base64?${run}?=`],
  ],
  ['Mcp-Method', (text) => called(tool('preview_a'), { 'mcp-method': text })],
  ['a batch', (text) => called(Array.from({ length: text.length / 64 }, (_, index) => tool(`preview_${index}`)))],
]

test.each(parsersOf(PARSERS))('[mcp-linear-time] $name is read in linear time', ({ parse, frames }) => {
  expectLinearTime(parse, frames)
})
