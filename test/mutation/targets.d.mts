interface Part {
  readonly sources: readonly string[]
  readonly tests: readonly string[]
  readonly floor?: number
}
export declare const TARGETS: Readonly<Record<string, readonly Part[]>>
