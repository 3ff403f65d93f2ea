export interface JestResults {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly numPendingTests: number
  readonly numTodoTests: number
  readonly numRuntimeErrorTestSuites: number
  readonly testResults: readonly { readonly name: string; readonly startTime: number; readonly endTime: number }[]
}

export declare function summarise(
  results: JestResults,
  options?: { filtered?: boolean },
): {
  passed: number
  failed: number
  skipped: number
  problem: string | undefined
  slowest: { name: string; seconds: number }[]
  line: string
}
export declare function readArguments(args: readonly string[]): {
  namesFiles: boolean
  filtered: boolean
  setsConfig: boolean
  setsWorkers: boolean
}
