import { warn } from './homepage.js'

/**
 * What the whole process shares under `Symbol.for('countersign.<thing>/<contract>')`, made on first use: two copies of
 * this package (two versions, a linked one, another realm's loader) find the same object.
 *
 * The number is the version of the contract between copies, not the package's: newer code may assume of an object
 * found here only what contract `/1` has. Copies with another contract do not share; a warning says so once.
 */
export function singleton<T extends object>(thing: string, make: () => T): T {
  const key = Symbol.for(`countersign.${thing}/1`)
  const known = Object.getOwnPropertyDescriptor(globalThis, key)?.value as T | undefined
  if (known !== undefined) return known
  const made = make()
  Object.defineProperty(globalThis, key, { value: made, enumerable: false, configurable: false, writable: false })
  warnOfOtherContracts(thing, key)
  return made
}

function warnOfOtherContracts(thing: string, own: symbol): void {
  const prefix = `countersign.${thing}/`
  const others = Object.getOwnPropertySymbols(globalThis).filter(
    (symbol) => symbol !== own && Symbol.keyFor(symbol)?.startsWith(prefix) === true,
  )
  if (others.length === 0) return
  warn(
    'COUNTERSIGN_CONTRACT_MISMATCH',
    `Two incompatible versions of @countersign/core are loaded: their ${thing} state is not shared`,
    `Found ${others.map(String).join(', ')} beside ${String(own)}. Run "npm ls @countersign/core" and install one version.`,
  )
}
