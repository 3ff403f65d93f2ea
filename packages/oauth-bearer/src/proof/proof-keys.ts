import { LruMap } from '@countersign/core/gate-kit'
import { calculateJwkThumbprint, type JWK } from 'jose'
import type { CompactJws } from '../jwt/parse-jws.js'
import { trustedKeys } from '../keys/key-policy.js'
import type { VerifySignature } from '../keys/signature.js'
import { isJsonObject } from '../strict-encoding.js'

/** The key of a proof. */
export interface ProofKey {
  /** Its thumbprint (RFC 7638): what a token is bound to. */
  readonly jkt: string
  readonly verify: VerifySignature
}

/** The keys of proofs that were good. */
export interface ProofKeys {
  /**
   * The key of a proof's header; undefined for one that is not public, weak, or of another algorithm. `jkt` is the key that it
   * should be.
   */
  find(header: CompactJws['header'], text: string, jkt: string): ProofKey | undefined | Promise<ProofKey | undefined>
  /** Remembers the key of this header, whose signature was good. */
  keep(text: string, key: ProofKey): void
}

/**
 * Finds keys by the text of the header: a client sends the same one with each proof. A key is kept only when a token was bound
 * to it and it signed, so strangers displace none; and with one header alone, so that a client that varies it displaces none
 * but its own.
 */
export function createProofKeys(maxKeys: number): ProofKeys {
  const known = new LruMap<string, { readonly text: string; readonly key: ProofKey }>(maxKeys)
  return {
    find(header, text, jkt) {
      const kept = known.get(jkt)
      return kept?.text === text ? kept.key : importKey(header)
    },
    keep(text, key) {
      if (known.peek(key.jkt)?.key !== key) known.set(key.jkt, { text, key })
    },
  }
}

/** By the rules for the keys of issuers. */
async function importKey({ alg, jwk }: CompactJws['header']): Promise<ProofKey | undefined> {
  if (!isJsonObject(jwk)) return undefined
  const [key] = (await trustedKeys({ keys: [jwk] }, [alg])) ?? []
  const verify = key?.verifiers.get(alg)
  return verify && { jkt: await calculateJwkThumbprint(jwk as JWK), verify }
}
