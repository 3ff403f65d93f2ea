/** The end of a stream that is not sent yet, in the pieces in which it came. */
export class HeldBytes {
  private pieces: Uint8Array[] = []
  private size = 0

  get length(): number {
    return this.size
  }

  add(bytes: Uint8Array): void {
    if (bytes.length === 0) return
    this.pieces.push(bytes)
    this.size += bytes.length
  }

  /** Takes the first bytes out. */
  take(length: number): Uint8Array {
    const taken: Uint8Array[] = []
    let missing = length
    let whole = 0
    for (const piece of this.pieces) {
      if (missing < piece.length) break
      taken.push(piece)
      missing -= piece.length
      whole += 1
    }
    if (whole > 0) this.pieces.splice(0, whole)
    const [first] = this.pieces
    if (missing > 0 && first !== undefined) {
      taken.push(first.subarray(0, missing))
      this.pieces[0] = first.subarray(missing)
    }
    this.size -= length
    return taken.length === 1 ? (taken[0] as Uint8Array) : Buffer.concat(taken)
  }

  clear(): void {
    this.pieces = []
    this.size = 0
  }
}
