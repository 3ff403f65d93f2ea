import { createHash, type Hash } from 'node:crypto'
import type { PieceTaker } from '@countersign/core/body'
import { digest } from '@countersign/core/gate-kit'
import type { DeclaredDigest } from './formats/format.js'

type Algorithm = DeclaredDigest['algorithm']

/** The digests of one body. Of one that comes in pieces each is hashed when it comes: at its end little is left to do. */
export class BodyDigests implements PieceTaker {
  private readonly algorithms: readonly Algorithm[]
  private hashes: readonly Hash[] | undefined

  constructor(algorithms: readonly Algorithm[]) {
    this.algorithms = algorithms
  }

  take(piece: Buffer): void {
    this.hashes ??= this.algorithms.map((algorithm) => createHash(algorithm))
    for (const hash of this.hashes) hash.update(piece)
  }

  /** In the order of the algorithms; to be called once, with the body that was read. */
  of(body: Buffer): readonly Buffer[] {
    if (this.hashes !== undefined) return this.hashes.map((hash) => hash.digest())
    return this.algorithms.map((algorithm) => digest(algorithm, body))
  }
}
