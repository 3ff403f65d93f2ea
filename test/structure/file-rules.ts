import { readSource, type SourceFile } from './source.js'

export const MOST_LINES = 350

/** What a source file does that none may: grow beyond the limit, write `any`, silence the compiler. */
export function checkFiles(sources: readonly SourceFile[]): string[] {
  return sources.flatMap((file) => {
    const lines = file.text.replace(/\n$/, '').split('\n').length
    const { anyCount } = readSource(file)
    // Spelt in two halves, so that this file keeps its own rule.
    const silenced = file.text.match(new RegExp(`@ts-${'(?:ignore|nocheck)'}`, 'g')) ?? []
    const unexplained = file.text.match(/biome-ignore [^:\n]*(?:\n|:\s*\n)/g) ?? []
    return [
      ...(lines > MOST_LINES ? [`${file.path} has ${lines} lines, the most is ${MOST_LINES}`] : []),
      ...(anyCount > 0 ? [`${file.path} writes any ${anyCount} times`] : []),
      ...silenced.map((comment) => `${file.path} says ${comment}`),
      ...unexplained.map(() => `${file.path} silences Biome without a reason`),
    ]
  })
}
