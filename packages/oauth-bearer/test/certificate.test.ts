import { createHash, X509Certificate } from 'node:crypto'
import { describe, expect, test } from '@jest/globals'
import type { Request } from 'express'
import { TEST_CERTIFICATE } from '../../../test/support/test-certificate.js'
import { type CertificateHeader, checkMtlsOptions } from '../src/mtls-options.js'
import { certificateDigest, isCertificateOf } from '../src/proof/certificate.js'
import { certificateInHeader } from '../src/proof/certificate-header.js'

const { raw } = new X509Certificate(TEST_CERTIFICATE)
const DIGEST = createHash('sha256').update(raw).digest()
const HASH = DIGEST.toString('hex')
const ESCAPED = encodeURIComponent(TEST_CERTIFICATE)

function requestWith(lines: readonly (readonly [string, string])[], remoteAddress: string | undefined): Request {
  return { rawHeaders: lines.flat(), headers: Object.fromEntries(lines), socket: { remoteAddress } } as never
}

const PROXY = '10.1.2.3'

function certificateFromHeader(header: CertificateHeader) {
  return certificateInHeader(checkMtlsOptions({ header })?.header as never)
}

function digestOf(options: Omit<CertificateHeader, 'trust'>, ...lines: readonly (readonly [string, string])[]) {
  const find = certificateFromHeader({ ...options, trust: ['10.0.0.0/8'] })
  return certificateDigest(find(requestWith(lines, PROXY)))
}

describe('[mtls-header-forms] the certificate in a header field', () => {
  test.each<[string, CertificateHeader['format'], string, string | undefined]>([
    ['RFC 9440', 'client-cert', `:${raw.toString('base64')}:`, undefined],
    [
      'Envoy, Cert',
      'xfcc',
      `Hash=${HASH};Cert="${ESCAPED}";Subject="CN=a,O=\\"b;c\\"";URI=spiffe://a;URI=spiffe://b`,
      undefined,
    ],
    ['Envoy, Hash alone', 'xfcc', `By=spiffe://a;Hash=${HASH};Subject=""`, undefined],
    ['nginx', 'pem', ESCAPED, 'X-SSL-Client-Cert'],
    ['a header field of the app’s choice', 'client-cert', `:${raw.toString('base64')}:`, 'X-Client'],
  ])('%s', (_name, format, value, header) => {
    const field = header ?? (format === 'xfcc' ? 'X-Forwarded-Client-Cert' : 'Client-Cert')
    expect(digestOf({ format, name: header }, [field, value])).toEqual(DIGEST)
  })

  test.each<[string, CertificateHeader['format'], string]>([
    ['base64 without colons', 'client-cert', raw.toString('base64')],
    ['two byte sequences', 'client-cert', `:${raw.toString('base64')}:, :${raw.toString('base64')}:`],
    ['bytes that are no certificate', 'client-cert', ':AAAA:'],
    ['an empty byte sequence', 'client-cert', '::'],
    ['two elements', 'xfcc', `Hash=${HASH},Hash=${HASH}`],
    ['two hashes', 'xfcc', `Hash=${HASH};Hash=${HASH}`],
    ['a hash of another certificate', 'xfcc', `Hash=${'0'.repeat(64)};Cert="${ESCAPED}"`],
    ['a short hash', 'xfcc', `Hash=${HASH.slice(2)}`],
    ['an open quote', 'xfcc', `Subject="a;Hash=${HASH}`],
    ['text without a pair', 'xfcc', HASH],
    ['a broken escape', 'xfcc', 'Cert="%E0%A4%A"'],
    ['two PEM blocks', 'pem', encodeURIComponent(`${TEST_CERTIFICATE}\n${TEST_CERTIFICATE}`)],
    ['a private key', 'pem', encodeURIComponent('-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----')],
  ])('says nothing as %s', (_name, format, value) => {
    const header = 'Client-Cert'
    expect(digestOf({ format, name: header }, [header, value])).toBeUndefined()
  })

  test('says nothing when it comes twice', () => {
    const value = `:${raw.toString('base64')}:`
    expect(digestOf({ format: 'client-cert' }, ['Client-Cert', value], ['Client-Cert', value])).toBeUndefined()
  })

  test.each<[CertificateHeader['trust'], string | undefined, boolean]>([
    [['10.0.0.0/8'], '10.255.0.1', true],
    [['10.0.0.0/8'], '::ffff:10.0.0.1', true],
    [['10.0.0.0/8'], '11.0.0.1', false],
    [['10.0.0.0/8'], '::1', false],
    [['10.0.0.0/8'], undefined, false],
    [['127.0.0.1', '::1'], '::1', true],
    [['fd00::/8'], 'fdff::1', true],
    [() => true, undefined, true],
    [() => false, '10.0.0.1', false],
    [(() => Promise.resolve(true)) as never, '10.0.0.1', false],
  ])('counts from the peers %p: %s %p', (trust, address, isTrusted) => {
    const find = certificateFromHeader({ format: 'client-cert', trust })
    const found = find(requestWith([['Client-Cert', `:${raw.toString('base64')}:`]], address))
    expect(found !== undefined).toBe(isTrusted)
  })

  test.each([
    [[]],
    [['10.0.0.0/33']],
    [['a proxy']],
    [['10.0.0.0/8/8']],
    ['10.0.0.0/8'],
    [undefined],
    [async () => true],
  ])('cannot be trusted from %p', (trust) => {
    expect(() => certificateFromHeader({ format: 'client-cert', trust: trust as never })).toThrow('trust')
  })

  test('has to be named where the format does not', () => {
    expect(() => certificateFromHeader({ format: 'pem', trust: ['::1'] })).toThrow('"mtls.header.name"')
  })
})

describe('[mtls-thumbprint] a token that is bound to a certificate', () => {
  const thumbprint = DIGEST.toString('base64url')

  test('belongs to the connection with that certificate alone', () => {
    const other = createHash('sha256').update('another').digest()
    expect(isCertificateOf(thumbprint, DIGEST)).toBe(true)
    expect(isCertificateOf(thumbprint, other)).toBe(false)
    expect(isCertificateOf(thumbprint, undefined)).toBe(false)
  })

  test.each([[''], [thumbprint.slice(0, -1)], [`${thumbprint}=`], [HASH]])('has no thumbprint %p', (value) => {
    expect(isCertificateOf(value, DIGEST)).toBe(false)
  })

  test.each([
    ['DER', raw],
    ['PEM', TEST_CERTIFICATE],
    ['an X509Certificate', new X509Certificate(TEST_CERTIFICATE)],
    ['a digest', { sha256: DIGEST }],
  ])('is compared with the certificate as %s', (_name, certificate) => {
    expect(certificateDigest(certificate)).toEqual(DIGEST)
  })

  test('is not compared with what is no certificate', () => {
    for (const wrong of [Buffer.alloc(0), 'text', { sha256: Buffer.alloc(20) }, { sha256: 'a'.repeat(32) }, null]) {
      expect(certificateDigest(wrong as never)).toBeUndefined()
    }
  })
})
