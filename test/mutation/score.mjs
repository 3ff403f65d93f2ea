const NOTICED = new Set(['Killed', 'Timeout'])
const UNNOTICED = new Set(['Survived', 'NoCoverage'])

/** What Stryker found, counted for each file; what it could not run is in neither count. */
export function countByFile(mutants) {
  const files = new Map()
  for (const { fileName, status } of mutants) {
    const { noticed, unnoticed } = files.get(fileName) ?? { noticed: 0, unnoticed: 0 }
    files.set(fileName, {
      noticed: noticed + Number(NOTICED.has(status)),
      unnoticed: unnoticed + Number(UNNOTICED.has(status)),
    })
  }
  return files
}

/** The counts of all files together. */
export function addCounts(counts) {
  return {
    noticed: counts.reduce((sum, { noticed }) => sum + noticed, 0),
    unnoticed: counts.reduce((sum, { unnoticed }) => sum + unnoticed, 0),
  }
}

/** The share of the changes that a test noticed, in percent; 100 where there was none to notice. */
export function scoreOf({ noticed, unnoticed }) {
  const all = noticed + unnoticed
  return all === 0 ? 100 : (100 * noticed) / all
}

/** A line for each file: score, noticed, all. */
export function table(files) {
  const width = Math.max(...files.map(([file]) => file.length))
  return files
    .map(([file, counts]) => {
      const { noticed, unnoticed } = counts
      return `${file.padEnd(width)}  ${scoreOf(counts).toFixed(1).padStart(5)} %  ${noticed} of ${noticed + unnoticed}`
    })
    .join('\n')
}
