/** Tries until a condition holds, and returns what held. Throws after 30 s. */
export async function until<T>(look: () => T | Promise<T>, holds: (seen: T) => boolean): Promise<T> {
  const deadline = performance.now() + 30_000
  for (;;) {
    const seen = await look()
    if (holds(seen)) return seen
    if (performance.now() > deadline) throw new Error(`still ${String(seen)} after 30 s`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
