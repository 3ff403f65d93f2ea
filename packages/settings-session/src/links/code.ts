/** Characters of the longest text that is looked at: six digits, and what may stand between them. */
const MAX_LENGTH = 64

/**
 * The digits of a text that a person typed or pasted: with spaces and hyphens of any kind, in any script's digits. Undefined
 * when there is anything else, or not six digits.
 */
export function digitsIn(text: string): string | undefined {
  if (text.length > MAX_LENGTH) return undefined
  const digits = text.replace(/[\s\p{Pd}\p{Cf}\p{Zs}\u2212.]/gu, '').replace(/\p{Nd}/gu, digitOf)
  return /^[0-9]{6}$/.test(digits) ? digits : undefined
}

/** Unicode has the decimal digits of each script in order, from 0 to 9, and some sets one behind the other. */
function digitOf(digit: string): string {
  const code = digit.codePointAt(0) as number
  let zero = code
  while (/^\p{Nd}$/u.test(String.fromCodePoint(zero - 1))) zero -= 1
  return String((code - zero) % 10)
}
