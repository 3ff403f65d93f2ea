import type { CapabilitiesOf } from './rules.js'

/** Whether a holder of these capabilities may call a tool that needs `needs`. */
export function allows(needs: readonly string[] | undefined, capabilities: readonly string[]): boolean {
  return needs?.every((capability) => capabilities.includes(capability)) === true
}

/** The tools that a holder of these capabilities may call: what `tools/list` should show it. */
export function filterTools<T extends { readonly name: string }>(
  tools: readonly T[],
  capabilities: readonly string[],
  capabilitiesOf: CapabilitiesOf | undefined,
): T[] {
  if (capabilitiesOf === undefined) return [...tools]
  return tools.filter(({ name }) => allows(capabilitiesOf(name), capabilities))
}
