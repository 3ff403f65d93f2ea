import { timingSafeEqual, X509Certificate } from 'node:crypto'
import type { TLSSocket } from 'node:tls'
import { sha256 } from '@countersign/core/gate-kit'
import type { Request } from 'express'
import { decodeBase64url, type JsonObject } from '../strict-encoding.js'

/** A client's certificate: DER bytes, one PEM block, Node's own object, or only the SHA-256 of its DER bytes. */
export type ClientCertificate = Uint8Array | string | X509Certificate | { readonly sha256: Uint8Array }

/** Finds the certificate with which the client of a request authenticated its connection; undefined where there is none. */
export type FindCertificate = (request: Request) => ClientCertificate | undefined

const ONE_BLOCK = /^\s*-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----\s*$/

/** The certificate of the TLS connection itself, where this process ends it. The handshake has proven its key. */
export const peerCertificate: FindCertificate = ({ socket }) =>
  (socket as Partial<TLSSocket>).getPeerCertificate?.(true)?.raw

/** The SHA-256 of a certificate's DER bytes (RFC 8705 §3.1); undefined for what is not one certificate. */
export function certificateDigest(certificate: ClientCertificate | undefined): Uint8Array | undefined {
  if (certificate === undefined) return undefined
  if (typeof certificate === 'object' && 'sha256' in certificate) {
    return certificate.sha256.length === 32 ? certificate.sha256 : undefined
  }
  const parsed = parseCertificate(certificate)
  return parsed && sha256(parsed.raw)
}

function parseCertificate(certificate: Uint8Array | string | X509Certificate): X509Certificate | undefined {
  if (certificate instanceof X509Certificate) return certificate
  // Of several blocks OpenSSL takes the first, another reader may take another one.
  if (typeof certificate === 'string' && !ONE_BLOCK.test(certificate)) return undefined
  try {
    return new X509Certificate(certificate)
  } catch {
    return undefined
  }
}

/** Whether a token that is bound to a certificate came over a connection that has it (RFC 8705 §3). */
export function isCertificateOf(cnf: JsonObject, digest: Uint8Array | undefined): boolean {
  const thumbprint = cnf['x5t#S256']
  const expected = typeof thumbprint === 'string' ? decodeBase64url(thumbprint) : undefined
  return expected?.length === 32 && digest !== undefined && timingSafeEqual(expected, digest)
}
