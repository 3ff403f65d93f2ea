import type { ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { settle } from '@countersign/core/gate-kit'
import type { Resolution } from '../registry/resolver.js'
import type { McpCredentials } from '../registry.js'

/** Checks that may fail in a row, because the store is down, before a stream is ended. */
const MAX_FAILED_CHECKS = 12

interface Watched {
  readonly credentialId: string
  failed: number
}

/** What stays open: a response, or the socket of an upgrade. */
type Stream = ServerResponse | Duplex

type Registry = Pick<McpCredentials, 'check' | 'onRevoked'>

/**
 * Ends the open responses and sockets of credentials that are no longer valid: immediately when they are revoked through the same
 * registry, else within `recheckMs`. An open stream is not a sign of life: nothing slides.
 */
class StreamWatch {
  readonly #registry: Registry
  readonly #recheckMs: number
  readonly #watched = new Map<Stream, Watched>()
  #timer: NodeJS.Timeout | undefined
  #stopListening: (() => void) | undefined
  /** One listener for all of them: every decision adds it. */
  readonly #forget: (this: Stream) => void

  constructor(registry: Registry, recheckMs: number) {
    this.#registry = registry
    this.#recheckMs = recheckMs
    const watched = this.#watched
    this.#forget = function forgetClosed() {
      watched.delete(this)
    }
  }

  watch(stream: Stream, credentialId: string): void {
    // The client may have gone while the store was asked: no `close` follows then.
    if (stream.destroyed || stream.writableFinished || this.#watched.has(stream)) return
    this.#watched.set(stream, { credentialId, failed: 0 })
    stream.on('close', this.#forget)
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
    for (const [stream, entry] of this.#watched) {
      if (!('headersSent' in stream) || stream.headersSent) this.#check(stream, entry)
    }
  }

  #check(stream: Stream, entry: Watched): void {
    void settle<Resolution, void>(
      () => this.#registry.check(entry.credentialId),
      ({ standing }) => {
        entry.failed = 0
        if (standing !== 'live') stream.destroy()
      },
      () => {
        entry.failed += 1
        if (entry.failed >= MAX_FAILED_CHECKS) stream.destroy()
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
