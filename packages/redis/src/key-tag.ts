/** A hash tag: keys that hold the same one lie in one slot of a cluster. */
export function keyTag(namespace: string, ...parts: readonly (string | number)[]): string {
  return `{${[namespace, ...parts].join(':')}}`
}
