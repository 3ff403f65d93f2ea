import { rfc9421, type SignatureFormat, xHeaders } from '@countersign/hmac'
import { test } from '@jest/globals'
import {
  expectLinearTime,
  type Frame,
  type Parse,
  type ParserRow,
  parsersOf,
} from '../../../test/support/linear-time.js'
import { parseDictionary } from '../src/formats/dictionary.js'
import {
  parseHex256,
  parseTimestamp,
  parseVersion,
  splitTarget,
  withoutWhitespaceAround,
} from '../src/formats/grammar.js'
import { parseContentDigest, parseCoverage, parseSignatureFields } from '../src/formats/signature-fields.js'
import { targetOf } from '../src/formats/target.js'
import { readCredential } from '../src/read.js'

const PARAMETERS = ';created=1;nonce="n";keyid="a/1";tag="countersign"'
const COMPONENTS = '"@method" "@authority" "@path" "@query" "content-digest" "x-a"'
const DIGEST = `sha-256=:${'A'.repeat(43)}=:`
const SIGNATURE = `sig1=:${'A'.repeat(43)}=:`

/** A request with a well-formed signature, and something else in one place. */
function parsed(format: SignatureFormat, fields: Record<string, string>, target = '/a?b=c'): unknown {
  const known: Record<string, string> = {
    'signature-input': `sig1=(${COMPONENTS})${PARAMETERS}`,
    signature: SIGNATURE,
    'content-digest': DIGEST,
    'x-a': 'a',
    'x-countersign-caller': 'a',
    'x-countersign-timestamp': '1',
    'x-countersign-signature': '0'.repeat(64),
  }
  const rawHeaders = Object.entries({ ...known, ...fields }).flat()
  const claim = format.parse({ method: 'GET', rawHeaders } as never, () => target)
  if (claim === undefined || 'unreadable' in claim) return claim
  return claim.base('app.example.com', new Uint8Array(32))
}

const quoted: Frame = (run) => `sig1=("${run}`
const nonce: Frame = (run) => `sig1=(${COMPONENTS});nonce="${run}`
const around: readonly Frame[] = [(run) => run, (run) => `a${run}a`]
const field =
  (name: string, format = rfc9421()): Parse =>
  (text) =>
    parsed(format, { [name]: text })
const legacy: Parse = (text) =>
  readCredential({ rawHeaders: ['authorization', text, 'x-key', text], headers: {} } as never, {
    formats: [xHeaders()],
    keyHeaders: ['authorization'],
    reportOnly: false,
    target: () => '/',
  })

const PARSERS: readonly ParserRow[] = [
  ['a dictionary', parseDictionary, [...around, quoted, nonce, (run) => `sig1=:${run}`, (run) => `a=1;b=${run}`]],
  [
    'the signature fields',
    (text) => parseSignatureFields([text], [text, text], 'countersign'),
    [...around, quoted, nonce],
  ],
  ['a digest', parseContentDigest, [...around, (run) => `sha-256=:${run}:`]],
  ['a coverage', parseCoverage, [quoted]],
  ['white space around a value', withoutWhitespaceAround, around],
  ['a timestamp', parseTimestamp],
  ['a version', parseVersion],
  ['hex digits', parseHex256],
  ['a target', splitTarget, [(run) => `/${run}`, (run) => `/?${run}`]],
  ['a URL to sign', ignoring(targetOf), [...around, (run) => `https://${run}`, (run) => `https://a/${run}`]],
  ['a covered field', field('x-a'), around],
  ['Signature-Input', field('signature-input'), [...around, quoted, nonce]],
  ['Signature', field('signature'), around],
  ['Content-Digest', field('content-digest'), around],
  ['the target that is signed', (text) => parsed(rfc9421(), {}, text), [(run) => `/${run}`, (run) => `/?${run}`]],
  ['the target of xHeaders', (text) => parsed(xHeaders(), {}, text), [(run) => `/${run}`, (run) => `/?${run}`]],
  ['a caller', field('x-countersign-caller', xHeaders())],
  ['a timestamp in a field', field('x-countersign-timestamp', xHeaders())],
  ['a signature in a field', field('x-countersign-signature', xHeaders())],
  ['a version in a field', field('x-countersign-key-version', xHeaders())],
  ['an old key', legacy, [(run) => run, (run) => `Bearer ${run}`, (run) => `Bearer a${run}a`]],
]

function ignoring(parse: (text: string) => unknown): Parse {
  return (text) => {
    try {
      return parse(text)
    } catch {
      return undefined
    }
  }
}

test.each(parsersOf(PARSERS))('[hmac-linear-time] $name is read in linear time', ({ parse, frames }) => {
  expectLinearTime(parse, frames)
})
