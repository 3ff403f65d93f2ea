/**
 * What is known of a server's clock: a lower bound of (server time − local monotonic time), in ms. Deadlines computed
 * from it are never later than meant.
 */
export class ServerClock {
  #offset: number | undefined

  get isKnown(): boolean {
    return this.#offset !== undefined
  }

  /** The server read `serverMs` at some moment between the local moments `sentMs` and `receivedMs`. */
  learn(serverMs: number, sentMs: number, receivedMs: number): void {
    const lowest = serverMs - receivedMs
    const highest = serverMs - sentMs
    // The tightest bound stays, unless this reading shows that the server's clock went back.
    const isStale = this.#offset === undefined || this.#offset > highest + 1
    this.#offset = isStale ? lowest : Math.max(this.#offset as number, lowest)
  }

  /** The server's time at a local moment, or earlier. */
  at(localMs: number): number {
    if (this.#offset === undefined) throw new Error('the server clock was not read yet')
    return Math.floor(this.#offset + localMs)
  }

  forget(): void {
    this.#offset = undefined
  }
}
