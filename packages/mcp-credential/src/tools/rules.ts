/** Tool-name patterns (`*` stands for any text) and the capability, or all the capabilities, that each needs. */
export type ToolRules = Readonly<Record<string, string | readonly string[]>>

/** What a tool needs: undefined when no pattern matches it, so that it cannot be called. */
export type CapabilitiesOf = (tool: string) => readonly string[] | undefined

interface ToolRule {
  readonly matches: (name: string) => boolean
  readonly needs: readonly string[]
}

/** Names that were asked for are remembered, within these bounds: agents make names up. */
const MAX_REMEMBERED = 1000
const MAX_REMEMBERED_LENGTH = 128

/** Whether a value is an object of {@link ToolRules}. */
export function isToolRules(value: unknown): value is ToolRules {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return false
  return Object.entries(value).every(([pattern, need]) => pattern !== '' && isNeed(need))
}

function isNeed(need: unknown): boolean {
  const list: readonly unknown[] = Array.isArray(need) ? need : [need]
  return list.every((item) => typeof item === 'string' && item !== '')
}

/** Compiles the rules once. Every pattern that matches a tool adds what it needs. */
export function compileTools(rules: ToolRules): CapabilitiesOf {
  const compiled = Object.entries(rules).map(
    ([pattern, need]): ToolRule => ({
      matches: matcherOf(pattern),
      needs: typeof need === 'string' ? [need] : [...need],
    }),
  )
  const remembered = new Map<string, readonly string[] | undefined>()
  return (tool) => {
    if (remembered.has(tool)) return remembered.get(tool)
    const matching = compiled.filter(({ matches }) => matches(tool))
    const needs = matching.length === 0 ? undefined : [...new Set(matching.flatMap((rule) => rule.needs))]
    if (tool.length <= MAX_REMEMBERED_LENGTH && remembered.size < MAX_REMEMBERED) remembered.set(tool, needs)
    return needs
  }
}

/** Whether a holder of these capabilities may call a tool that needs `needs`. */
export function allows(needs: readonly string[] | undefined, capabilities: readonly string[]): boolean {
  return needs?.every((capability) => capabilities.includes(capability)) === true
}

/**
 * A matcher of names, `*` standing for any text. It searches for the parts between the stars from left to right, so its
 * time is proportional to the length of the name: names come from agents, and a regular expression with several stars
 * would backtrack.
 */
function matcherOf(glob: string): (name: string) => boolean {
  const [first = '', ...rest] = glob.split(/\*+/)
  const last = rest.pop()
  if (last === undefined) return (name) => name === glob
  return (name) => {
    if (!name.startsWith(first) || !name.endsWith(last)) return false
    let from = first.length
    for (const part of rest) {
      const found = name.indexOf(part, from)
      if (found === -1) return false
      from = found + part.length
    }
    return from + last.length <= name.length
  }
}
