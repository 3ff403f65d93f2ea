/** For commander: an option that may be repeated. */
export function collect(value: string, list: readonly string[] = []): readonly string[] {
  return [...list, value]
}
