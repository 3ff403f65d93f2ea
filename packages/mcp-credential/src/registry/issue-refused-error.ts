import { withPage } from '@countersign/core/gate-kit'

/** What `issue` rejects with when the store refuses: the thread is retired, or a limit is reached. */
export class IssueRefusedError extends Error {
  override readonly name = 'IssueRefusedError'
  readonly code: 'ERR_COUNTERSIGN_THREAD_RETIRED' | 'ERR_COUNTERSIGN_TOO_MANY_CREDENTIALS'

  constructor(code: IssueRefusedError['code'], message: string) {
    super(withPage(message, code))
    this.code = code
  }
}
