export declare const PNPM_VERSION: string
export declare function checkNode(version?: string): void
export declare function isSupportedNode(version: string): boolean
export declare function pnpm(args: readonly string[]): { command: string; args: string[] }
