import type { SignatureFormat } from './format.js'
import { xHeaders } from './x-headers.js'

/** What gates verify and clients sign with unless they are told otherwise. */
export function defaultFormat(): SignatureFormat {
  return xHeaders()
}
