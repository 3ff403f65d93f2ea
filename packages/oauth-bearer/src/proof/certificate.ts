import { timingSafeEqual, X509Certificate } from 'node:crypto'
import type { TLSSocket } from 'node:tls'
import { sha256 } from '@countersign/core/gate-kit'
import type { Request } from 'express'
import type { ClientCertificate } from '../mtls-options.js'
import { decodeBase64url } from '../strict-encoding.js'

const ONE_BLOCK = /^\s*-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----\s*$/

/** The certificate of the TLS connection itself, where this process ends it. The handshake has proven its key. */
export function peerCertificate({ socket }: Request): Uint8Array | undefined {
  return (socket as Partial<TLSSocket>).getPeerCertificate?.(true)?.raw
}

/** The SHA-256 of a certificate's DER bytes (RFC 8705 §3.1); undefined for what is not one certificate. */
export function certificateDigest(certificate: ClientCertificate | undefined): Uint8Array | undefined {
  // An app's function says null as well.
  if (certificate == null) return undefined
  if (typeof certificate === 'object' && 'sha256' in certificate) {
    const { sha256: digest } = certificate
    return digest instanceof Uint8Array && digest.length === 32 ? digest : undefined
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

/** Whether a certificate is the one with this thumbprint, the `x5t#S256` of a token (RFC 8705 §3.1). */
export function isCertificateOf(thumbprint: string, digest: Uint8Array | undefined): boolean {
  const expected = decodeBase64url(thumbprint)
  return expected?.length === 32 && digest !== undefined && timingSafeEqual(expected, digest)
}
