import type { ServerResponse } from 'node:http'
import { settle } from '@countersign/core/gate-kit'
import type { Resolution } from '../registry/resolver.js'
import type { McpCredentials } from '../registry.js'

/** Checks that may fail in a row, because the store is down, before a stream is ended. */
const MAX_FAILED_CHECKS = 12

interface Watched {
  readonly credentialId: string
  failed: number
}

type Registry = Pick<McpCredentials, 'check' | 'onRevoked'>

/**
 * Ends the open responses of credentials that are no longer valid: immediately when they are revoked through the same
 * registry, else within `recheckMs`. An open stream is not a sign of life: nothing slides.
 */
class StreamWatch {
  readonly #registry: Registry
  readonly #recheckMs: number
  readonly #watched = new Map<ServerResponse, Watched>()
  #timer: NodeJS.Timeout | undefined
  #stopListening: (() => void) | undefined
  /** One listener for all responses: every decision adds it. */
  readonly #forget: (this: ServerResponse) => void

  constructor(registry: Registry, recheckMs: number) {
    this.#registry = registry
    this.#recheckMs = recheckMs
    const watched = this.#watched
    this.#forget = function forgetClosed() {
      watched.delete(this)
    }
  }

  watch(response: ServerResponse, credentialId: string): void {
    // The client may have gone while the store was asked: no `close` follows then.
    if (response.destroyed || response.writableFinished || this.#watched.has(response)) return
    this.#watched.set(response, { credentialId, failed: 0 })
    response.on('close', this.#forget)
    if (this.#timer === undefined) this.#start()
  }

  #start(): void {
    this.#timer = setInterval(() => this.#recheck(), this.#recheckMs)
    this.#timer.unref()
    this.#stopListening = this.#registry.onRevoked(() => this.#recheck())
  }

  #stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
    this.#stopListening?.()
  }

  #recheck(): void {
    if (this.#watched.size === 0) return this.#stop()
    // Only what is being sent is a stream; an answer that has not begun is short.
    for (const [response, entry] of this.#watched) if (response.headersSent) this.#check(response, entry)
  }

  #check(response: ServerResponse, entry: Watched): void {
    void settle<Resolution, void>(
      () => this.#registry.check(entry.credentialId),
      ({ standing }) => {
        entry.failed = 0
        if (standing !== 'live') response.destroy()
      },
      () => {
        entry.failed += 1
        if (entry.failed >= MAX_FAILED_CHECKS) response.destroy()
      },
    )
  }
}

/** The watches of each registry, by how often they check. */
const watches = new WeakMap<Registry, Map<number, StreamWatch>>()

/** The open streams of a registry: gates with one `recheckMs` share them. */
export function streamWatchOf(registry: Registry, recheckMs: number): Pick<StreamWatch, 'watch'> {
  let own = watches.get(registry)
  if (own === undefined) {
    own = new Map()
    watches.set(registry, own)
  }
  let watch = own.get(recheckMs)
  if (watch === undefined) {
    watch = new StreamWatch(registry, recheckMs)
    own.set(recheckMs, watch)
  }
  return watch
}
