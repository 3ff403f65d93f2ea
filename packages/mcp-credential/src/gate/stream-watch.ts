import type { ServerResponse } from 'node:http'
import { isPromise } from '@countersign/core/gate-kit'
import type { McpCredentials } from '../create-mcp-credentials.js'
import type { Resolution } from '../resolve-credential.js'

/** Looks that may fail in a row, because the store is down, before a stream is ended. */
const MAX_FAILED_LOOKS = 12

interface Watched {
  readonly credentialId: string
  failed: number
}

/**
 * Ends the open responses of credentials that are no longer good: at once when they are revoked through the same
 * registry, else within `recheckMs`. A stream that is merely open is no sign of life; nothing slides.
 */
export class StreamWatch {
  readonly #credentials: McpCredentials
  readonly #recheckMs: number
  readonly #watched = new Map<ServerResponse, Watched>()
  #timer: NodeJS.Timeout | undefined
  #stopListening: (() => void) | undefined
  /** One for all responses: every decision adds it. */
  readonly #forget: (this: ServerResponse) => void

  constructor(credentials: McpCredentials, recheckMs: number) {
    this.#credentials = credentials
    this.#recheckMs = recheckMs
    const watched = this.#watched
    this.#forget = function forgetClosed() {
      watched.delete(this)
    }
  }

  watch(response: ServerResponse, credentialId: string): void {
    // The client may have gone while the store was asked: then no close will come any more.
    if (response.destroyed || response.writableFinished) return
    this.#watched.set(response, { credentialId, failed: 0 })
    response.on('close', this.#forget)
    if (this.#timer === undefined) this.#start()
  }

  #start(): void {
    this.#timer = setInterval(() => this.#recheck(), this.#recheckMs)
    this.#timer.unref()
    this.#stopListening = this.#credentials.onRevoked(() => this.#recheck())
  }

  #stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
    this.#stopListening?.()
  }

  #recheck(): void {
    if (this.#watched.size === 0) return this.#stop()
    // Only what is being sent is a stream; an answer that has not begun is short.
    for (const [response, entry] of this.#watched) if (response.headersSent) this.#look(response, entry)
  }

  #look(response: ServerResponse, entry: Watched): void {
    const conclude = ({ standing }: Resolution) => {
      entry.failed = 0
      if (standing !== 'live') response.destroy()
    }
    const failed = () => {
      entry.failed += 1
      if (entry.failed >= MAX_FAILED_LOOKS) response.destroy()
    }
    try {
      const resolution = this.#credentials.check(entry.credentialId)
      if (isPromise(resolution)) void resolution.then(conclude, failed)
      else conclude(resolution)
    } catch {
      failed()
    }
  }
}
