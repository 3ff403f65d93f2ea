import type { ReleasedPackage } from './repository.mjs'

export function packInto(folder: string, packages: ReleasedPackage[]): void
