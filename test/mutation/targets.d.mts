export const TARGETS: Readonly<Record<string, readonly { sources: readonly string[]; tests: readonly string[] }[]>>
export const FLOORS: Readonly<Record<string, number>>
