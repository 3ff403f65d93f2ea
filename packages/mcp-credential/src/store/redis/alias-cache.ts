const MAX_ALIASES = 10_000

/**
 * Which credential an alias stands for, as far as this process knows. A guess: the script says when it is wrong. With
 * it, a decision on an alias is one command too.
 */
export class AliasCache {
  readonly #holders = new Map<string, string>()
  readonly #extended = new Map<string, string>()

  holderOf(id: string): string {
    return this.#holders.get(id) ?? id
  }

  /** Whether a decision on it is more than its own record: it is an alias, or has some. */
  concerns(id: string): boolean {
    return this.#holders.has(id) || this.#extended.has(id)
  }

  learn(id: string, holder: string): void {
    this.#holders.delete(id)
    if (holder !== id) remember(this.#holders, id, holder)
  }

  /** Whether the aliases of a holder are not known to stay until then. Once for each moment. */
  mustExtend(holder: string, until: string): boolean {
    if (this.#extended.get(holder) === until) return false
    remember(this.#extended, holder, until)
    return true
  }

  /** The extension failed. */
  forgetExtension(holder: string): void {
    this.#extended.delete(holder)
  }
}

function remember(map: Map<string, string>, key: string, value: string): void {
  map.delete(key)
  map.set(key, value)
  if (map.size > MAX_ALIASES) map.delete(map.keys().next().value as string)
}
