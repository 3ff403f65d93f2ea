import { type Denied, denied } from '@countersign/core/gate-kit'
import type { Request } from 'express'
import type { CheckedMtlsOptions } from '../mtls-options.js'
import type { OAuthBearerReason } from '../reasons.js'
import { certificateDigest, isCertificateOf, peerCertificate } from './certificate.js'
import { certificateInHeader } from './certificate-header.js'

/** Refuses a request whose client does not have the certificate with this thumbprint. */
export type CheckCertificate = (
  thumbprint: string,
  request: Request | undefined,
) => Denied<OAuthBearerReason> | undefined

/** Makes the check that the client has the certificate that its token is bound to (RFC 8705 §3). */
export function createCertificateCheck({ certificate, header }: CheckedMtlsOptions): CheckCertificate {
  const find = certificate ?? (header === undefined ? peerCertificate : certificateInHeader(header))
  return (thumbprint, request) => {
    const digest = request && certificateDigest(find(request))
    if (isCertificateOf(thumbprint, digest)) return undefined
    const hint = digest === undefined ? 'none' : 'another'
    const attributes = { binding: 'x5t#S256', expected_binding: 'x5t#S256', part: 'certificate', hint }
    return denied('bound_token', { detail: { attributes } })
  }
}
