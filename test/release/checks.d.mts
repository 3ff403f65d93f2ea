import type { ReleasedPackage, Repository } from './repository.mjs'

export function run(command: string, args: string[], cwd: string): { ok: boolean; stdout: string; output: string }
export function checkNames(repository: Repository, packages: ReleasedPackage[], homepageSource: string): string[]
export function checkVersions(root: string, packages: ReleasedPackage[]): string[]
export function checkLicences(root: string, packages: ReleasedPackage[], allowed?: ReadonlySet<string>): string[]
export function checkDryRun(folder: string, packages: ReleasedPackage[]): string[]
