import { fieldLines } from '@countersign/core/gate-kit'
import type { Request } from 'express'
import type { CertificateFormat, CheckedCertificateHeader, ClientCertificate } from '../mtls-options.js'
import { certificateDigest } from './certificate.js'

/**
 * Finds the certificate in the header field of a trusted proxy. From any other peer the field says nothing. What it opens is
 * cached for this certificate alone (RFC 9440 §2.4).
 */
export function certificateInHeader({ format, field, isTrusted }: CheckedCertificateHeader) {
  const read = READERS[format]
  return (request: Request): ClientCertificate | undefined => {
    if (!isTrusted(request)) return undefined
    if (request.res?.headersSent === false) request.res.vary(field)
    const [text, ...others] = fieldLines(request, field)
    return text === undefined || others.length > 0 ? undefined : read(text)
  }
}

const READERS: Readonly<Record<CertificateFormat, (text: string) => ClientCertificate | undefined>> = {
  'client-cert': fromClientCert,
  xfcc: fromXfcc,
  pem: unescaped,
}

/** RFC 9440 §2.1, §2.2: one byte sequence (RFC 9651 §3.3.5). */
function fromClientCert(text: string): Uint8Array | undefined {
  const base64 = /^:([A-Za-z0-9+/]+={0,2}):$/.exec(text.trim())?.[1]
  return base64 === undefined ? undefined : Buffer.from(base64, 'base64')
}

function unescaped(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

/** One `key=value`, quoted or not, and what ends it. */
const PAIR = /([A-Za-z]+)=(?:"((?:[^"\\]|\\.)*)"|([^",;]*))(;|,|$)/y

/** Several elements are of several proxies: which of them is the client's own is not said. */
function fromXfcc(text: string): ClientCertificate | undefined {
  const found = new Map<string, string>()
  PAIR.lastIndex = 0
  let end: string | undefined = ';'
  while (end === ';') {
    const [, key, quoted, plain, separator] = PAIR.exec(text) ?? []
    if (key === undefined) return undefined
    const name = key.toLowerCase()
    // A certificate can have several URIs and DNS names.
    if (found.has(name) && (name === 'cert' || name === 'hash')) return undefined
    found.set(name, quoted?.replace(/\\(.)/g, '$1') ?? plain ?? '')
    end = separator
  }
  if (end !== '') return undefined
  const hash = /^[0-9a-f]{64}$/i.exec(found.get('hash') ?? '')?.[0]
  const sha256 = hash === undefined ? undefined : Buffer.from(hash, 'hex')
  const cert = found.get('cert')
  if (cert === undefined) return sha256 && { sha256 }
  const pem = unescaped(cert)
  const digest = certificateDigest(pem)
  return sha256 === undefined || (digest !== undefined && sha256.equals(digest)) ? pem : undefined
}
