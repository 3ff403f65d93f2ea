// Built-ins only, as the other parts of test/run.mjs.
import { existsSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'

const SOURCE = /^packages\/([^/]+)\/src\/(.+)\.ts$/

/** Whether nothing is left of a source once it is built: a file of types alone has nothing that a test could run. */
function isTypesAlone(root, folder, stem) {
  const built = join(root, 'packages', folder, 'dist', `${stem}.js`)
  if (!existsSync(built)) return false
  const code = readFileSync(built, 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '')
  return code.trim() === 'export {};'
}

/** What Jest's `json-summary` says of the sources of a workspace, by package: lines and branches, in per cent. */
export function summariseCoverage(summary, root) {
  const packages = new Map()
  for (const [path, { lines, branches }] of Object.entries(summary)) {
    const [, folder, stem] = SOURCE.exec(relative(root, path).replaceAll('\\', '/')) ?? []
    if (folder === undefined || isTypesAlone(root, folder, stem)) continue
    const sum = packages.get(folder) ?? { lines: 0, linesRun: 0, branches: 0, branchesRun: 0 }
    sum.lines += lines.total
    sum.linesRun += lines.covered
    sum.branches += branches.total
    sum.branchesRun += branches.covered
    packages.set(folder, sum)
  }
  return [...packages]
    .sort(([one], [other]) => one.localeCompare(other))
    .map(([name, sum]) => ({
      name,
      lines: percent(sum.linesRun, sum.lines),
      branches: percent(sum.branchesRun, sum.branches),
    }))
}

/** Rounded down, so that 100 means all. */
function percent(part, whole) {
  return whole === 0 ? 100 : Math.floor((1000 * part) / whole) / 10
}

/** The lines to print, one a package. */
export function coverageLines(rows) {
  return rows.map(
    ({ name, lines, branches }) =>
      `  ${name.padEnd(16)}  ${lines.toFixed(1).padStart(5)} % of lines  ${branches.toFixed(1).padStart(5)} % of branches`,
  )
}
