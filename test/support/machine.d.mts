export type Part = 'redis' | 'chromium' | 'postgres' | 'nginx' | 'prometheus'

export interface PackageManager {
  readonly name: string
  readonly needsRoot: boolean
  readonly commands: (packages: readonly string[]) => string[][]
  readonly packages: Readonly<Record<Part, readonly string[]>>
}

export interface Abilities {
  has(command: string): boolean
  readonly isRoot: boolean
  readonly hasSudo: boolean
}

type Environment = Readonly<Record<string, string | undefined>>

export declare function findChromium(env?: Environment, places?: readonly string[]): string | undefined
export declare function findRedisServer(env?: Environment): string | undefined
export declare function findPostgres(env?: Environment, places?: readonly string[]): string | undefined
export declare function findNginx(env?: Environment, places?: readonly string[]): string | undefined
export declare function findPrometheus(env?: Environment): string | undefined
export declare function missingParts(env?: Environment): Part[]
export declare function planInstall(
  missing: readonly Part[],
  can: Abilities,
): { commands: string[][]; message?: undefined } | { message: string; commands?: undefined }
export declare function abilities(env?: Environment): Abilities
