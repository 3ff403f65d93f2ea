interface Count {
  readonly total: number
  readonly covered: number
}

export type CoverageSummary = Readonly<Record<string, { readonly lines: Count; readonly branches: Count }>>

export interface PackageCoverage {
  readonly name: string
  /** Per cent. */
  readonly lines: number
  /** Per cent. */
  readonly branches: number
}

export declare function summariseCoverage(summary: CoverageSummary, root: string): PackageCoverage[]
export declare function coverageLines(rows: readonly PackageCoverage[]): string[]
