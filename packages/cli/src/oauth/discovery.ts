import type { DiscoveryAttempt, FetchError } from '@countersign/oauth-bearer/explain'

/** Why no metadata of an issuer was found: each place that was asked, and what it answered. */
export function attemptsText(attempts: readonly DiscoveryAttempt[]): string {
  return attempts.map(({ url, error }) => `${url}: ${fetchProblem(error)}`).join('; ')
}

function fetchProblem({ failure, status, code }: FetchError): string {
  switch (failure) {
    case 'status':
      return `the answer is ${status}`
    case 'not_json':
      return 'it is not a JSON object'
    case 'too_large':
      return 'it is too large'
    case 'encoded':
      return 'it is compressed, though that was not accepted'
    case 'timeout':
      return 'no answer in time'
    case 'connection':
      return code ?? 'no connection'
    case 'invalid':
      return `its "${code}" is not valid`
  }
}
