import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../structure/workspace.js'

const operations = join(root, 'docs/operations')

/** The alert rules that an operator loads. */
export const alertsFile: string = join(operations, 'prometheus-alerts.yml')
export const alertsText: string = readFileSync(alertsFile, 'utf8')
/** The names of the alerts, in their order. */
export const alertNames: readonly string[] = Array.from(alertsText.matchAll(/- alert: (\w+)/g), ([, name = '']) => name)

interface Panel {
  readonly id: number
  readonly title: string
  readonly type: string
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly datasource?: { readonly uid: string }
  readonly targets?: readonly { readonly expr: string }[]
}

/** A dashboard as an operator imports it. */
export interface Dashboard {
  readonly uid: string
  readonly templating: { readonly list: readonly { readonly name: string; readonly allValue?: string }[] }
  readonly panels: readonly Panel[]
}

export const dashboardFiles = ['grafana.json', 'grafana-rollout.json'] as const

export function dashboardText(name: string): string {
  return readFileSync(join(operations, name), 'utf8')
}

export function readDashboard(name: string): Dashboard {
  return JSON.parse(dashboardText(name)) as Dashboard
}

/** The queries of a dashboard with their panels' titles, as Grafana sends them when everything is selected. */
export function queriesOf({ panels, templating }: Dashboard): readonly (readonly [string, string])[] {
  const fill = (expr: string) =>
    templating.list.reduce((filled, { name, allValue = '' }) => filled.replaceAll(`$${name}`, allValue), expr)
  return panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => [title, fill(expr)] as const))
}
