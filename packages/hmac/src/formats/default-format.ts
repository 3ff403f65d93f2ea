import type { SignatureFormat } from './format.js'
import { rfc9421 } from './rfc9421.js'

/** What gates verify and clients sign with unless they are told otherwise. */
export function defaultFormat(): SignatureFormat {
  return rfc9421()
}
