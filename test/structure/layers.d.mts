export declare const GATES: readonly string[]
export declare const SCOPE: string
export declare function mayNeed(folder: string): string[] | undefined
