const MAX_ALIASES = 10_000

/**
 * Which credential an alias stands for, as far as this process knows. A guess: the script says when it is wrong. With
 * it, a decision on an alias is one command too.
 */
export class AliasCache {
  readonly #holders = new Map<string, string>()

  holderOf(id: string): string {
    return this.#holders.get(id) ?? id
  }

  learn(id: string, holder: string): void {
    this.#holders.delete(id)
    if (holder === id) return
    this.#holders.set(id, holder)
    if (this.#holders.size <= MAX_ALIASES) return
    for (const oldest of this.#holders.keys()) {
      this.#holders.delete(oldest)
      return
    }
  }
}
