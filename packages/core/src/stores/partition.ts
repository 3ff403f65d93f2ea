/** Hash partitions of a store. Part of the key format: changing it would orphan what is stored. */
export const PARTITIONS = 16

/** The partition, 0 to 15, of a text: FNV-1a over its UTF-16 units. */
export function partitionOf(text: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  }
  return (hash >>> 0) % PARTITIONS
}
