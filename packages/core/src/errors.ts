import { withPage } from './homepage.js'

/** The `TypeError` of a wrong call by the programmer, with a code and the page of it. */
export class CodedTypeError extends TypeError {
  readonly code: `ERR_COUNTERSIGN_${string}`

  constructor(code: `ERR_COUNTERSIGN_${string}`, message: string, options?: ErrorOptions) {
    super(withPage(message, code), options)
    this.code = code
  }
}
