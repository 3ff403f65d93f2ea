import type { Scope } from './entry.js'

/** The epochs of providers or of provider sessions, each kept as long as an entry refers to it. */
export class ScopeMap {
  readonly #scopes = new Map<string, Scope>()

  /** The current epoch, made when first needed. The caller refers to it from now on, until it calls `leave`. */
  enter(id: string): Scope {
    let scope = this.#scopes.get(id)
    if (scope === undefined) {
      scope = { id, isRevoked: false, entries: 0 }
      this.#scopes.set(id, scope)
    }
    scope.entries += 1
    return scope
  }

  leave(scope: Scope): void {
    scope.entries -= 1
    if (scope.entries === 0 && this.#scopes.get(scope.id) === scope) this.#scopes.delete(scope.id)
  }

  revoke(id: string): boolean {
    const scope = this.#scopes.get(id)
    if (scope === undefined) return false
    scope.isRevoked = true
    return this.#scopes.delete(id)
  }
}
