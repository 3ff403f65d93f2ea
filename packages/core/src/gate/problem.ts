/** A problem document (RFC 9457). `error` and `error_description` stand where OAuth clients read them. */
export interface Problem {
  readonly type?: string
  readonly title?: string
  readonly status?: number
  readonly detail?: string
  readonly error?: string
  readonly error_description?: string
  readonly [member: string]: unknown
}

const TITLES: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
}

/** The reason phrase of a status (RFC 9110 §15). */
export function titleOf(status: number): string {
  return TITLES[status] ?? 'Error'
}
