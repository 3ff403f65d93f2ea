export interface Repository {
  readonly owner: string | null
  readonly name: string
  readonly homepage: string | null
}
export interface ReleasedPackage {
  readonly folder: string
  readonly tarball: string
  readonly manifest: { name: string; version: string; dependencies?: Record<string, string> }
}
export declare const root: string
export function readJson(path: string): unknown
export function publicPackages(): ReleasedPackage[]
export function lacksOf(repository: Repository): string[]
export function homepageOf(repository: Repository): string
export function manifestMembers(repository: Repository, folder: string): Record<string, unknown>
