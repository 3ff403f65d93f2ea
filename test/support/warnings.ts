import { jest } from '@jest/globals'

/** A warning as it was given to `process.emitWarning`. */
export interface CaughtWarning {
  readonly code: string
  readonly message: string
  readonly detail: string | undefined
}

/** Keeps the process's warnings from stderr and notes them. `stop` lets them through again. */
export function catchWarnings(): { readonly warnings: CaughtWarning[]; readonly stop: () => void } {
  const warnings: CaughtWarning[] = []
  const emit = (message: string, { code, detail }: { readonly code: string; readonly detail?: string }) => {
    warnings.push({ code, message, detail })
  }
  const spy = jest.spyOn(process, 'emitWarning').mockImplementation(emit as typeof process.emitWarning)
  return { warnings, stop: () => spy.mockRestore() }
}

/** The page that a warning names. */
export function pageOf({ message }: CaughtWarning): string | undefined {
  return / See (https:\S+)$/.exec(message)?.[1]
}
