/** A name that its owner recognises and that tells another little: its ends, and dots of a fixed number. */
export function mask(name: string): string {
  const characters = Array.from(name)
  const last = characters.length > 4 ? characters.at(-1) : ''
  return `${characters[0] ?? ''}•••${last}`
}
