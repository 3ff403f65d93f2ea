export declare const TARGETS: Readonly<
  Record<string, readonly { sources: readonly string[]; tests: readonly string[] }[]>
>
export declare const FLOORS: Readonly<Record<string, number>>
