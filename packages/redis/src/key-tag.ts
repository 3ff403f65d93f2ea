import { PARTITIONS } from '@countersign/core/gate-kit'

/** A hash tag: keys that hold the same one lie in one slot of a cluster. */
export function keyTag(namespace: string, ...parts: readonly (string | number)[]): string {
  return `{${[namespace, ...parts].join(':')}}`
}

const SLOTS = 16_384
/** How far from the middle of its sixteenth of the slots a tag may lie: so it is far from the borders of other even ranges, too. */
const NEAR = 64

/**
 * The hash tags of a store's partitions, in order. Each lies in the middle of its own sixteenth of the slots, so masters with even
 * ranges of them, as `redis-cli --cluster create` makes, have even shares. Part of the key format: a change orphans what is stored.
 */
export function partitionTags(namespace: string, store: string): readonly string[] {
  return Array.from({ length: PARTITIONS }, (_, partition) => {
    const middle = ((partition + 0.5) * SLOTS) / PARTITIONS
    const name = `${namespace}:${store}:${partition}:`
    const start = crc16(name)
    let suffix = 0
    while (Math.abs((crc16(String(suffix), start) % SLOTS) - middle) > NEAR) suffix += 1
    return keyTag(name + suffix)
  })
}

/** CRC-16/XMODEM, by which a cluster finds the slot of a tag. It has ASCII letters alone. */
function crc16(text: string, start = 0): number {
  let crc = start
  for (let index = 0; index < text.length; index += 1) {
    crc ^= text.charCodeAt(index) << 8
    for (let bit = 0; bit < 8; bit += 1) crc = (crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021
    crc &= 0xffff
  }
  return crc
}
