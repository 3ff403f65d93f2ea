import { allows, type CapabilitiesOf } from './rules.js'

/** The tools that a holder of these capabilities may call: what `tools/list` should show it. */
export function filterTools<T extends { readonly name: string }>(
  tools: readonly T[],
  capabilities: readonly string[],
  capabilitiesOf: CapabilitiesOf | undefined,
): T[] {
  if (capabilitiesOf === undefined) return [...tools]
  return tools.filter(({ name }) => allows(capabilitiesOf(name), capabilities))
}
