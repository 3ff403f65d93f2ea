import type { Repository } from './repository.mjs'

export declare const siteOf: (repository: Repository) => string
export function pageOf(path: string): string
export function fileAddress(path: string, repository: Repository, kind?: 'blob' | 'raw'): string
export function withAddresses(text: string, page: string, repository: Repository): string
