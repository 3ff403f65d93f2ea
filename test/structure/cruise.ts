import { join } from 'node:path'
import { runTool } from './tool.js'
import { root } from './workspace.js'

/** A file that dependency-cruiser saw, by its path from the root of the workspace, and what it imports. */
export interface CruisedModule {
  readonly source: string
  readonly dependencies: readonly { readonly module: string; readonly resolved: string }[]
}

interface Violation {
  readonly from: string
  readonly to: string
  readonly rule: { readonly name: string }
  readonly cycle?: readonly { readonly name: string }[]
}

/** What dependency-cruiser saw in a workspace, and what it forbids there, in words. */
export interface Cruise {
  readonly modules: readonly CruisedModule[]
  readonly complaints: readonly string[]
}

const config = join(root, 'test', 'structure', 'dependency-cruiser.config.mjs')

function inWords({ rule, from, to, cycle = [] }: Violation): string {
  const way = rule.name === 'circle' ? cycle.map(({ name }) => name) : [to]
  return `${rule.name}: ${[from, ...way].join(' → ')}`
}

/** Runs dependency-cruiser over the sources of the workspace in this folder, in a process of its own. */
export function cruise(folder: string): Cruise {
  const args = ['--config', config, '--output-type', 'json', 'packages']
  const { stdout, stderr } = runTool('dependency-cruiser/bin/dependency-cruise.mjs', args, folder)
  if (stdout === '') throw new Error(`dependency-cruiser said nothing: ${stderr}`)
  const { modules, summary } = JSON.parse(stdout) as {
    modules: CruisedModule[]
    summary: { violations: Violation[] }
  }
  return {
    modules: modules.filter(({ source }) => /^packages\/[^/]+\/src\//.test(source)),
    complaints: summary.violations.map(inWords),
  }
}
