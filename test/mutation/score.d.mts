/** Mutants that a test noticed, and those that none did. */
export interface Counts {
  readonly noticed: number
  readonly unnoticed: number
}
export function countByFile(mutants: readonly { fileName: string; status: string }[]): Map<string, Counts>
export function addCounts(counts: readonly Counts[]): Counts
export function scoreOf(counts: Counts): number
export function table(files: readonly (readonly [string, Counts])[]): string
