/** What reads the characters of a text: each by its code, with the place of the stream where it begins. */
export interface CharacterSink {
  push(code: number, place: number): void
}

const codeOf = (character: string) => character.charCodeAt(0)
const BACKSLASH = codeOf('\\')
const PERCENT = codeOf('%')
const AMPERSAND = codeOf('&')
const SEMICOLON = codeOf(';')
const [U, X, N, R] = ['u', 'x', 'n', 'r'].map(codeOf)
const CAPITAL_X = codeOf('X')
const HASH = codeOf('#')
const LINE_FEED = 10
const CARRIAGE_RETURN = 13

/** Whether an escape may begin with this character. */
export function beginsEscape(code: number): boolean {
  return code === BACKSLASH || code === PERCENT || code === AMPERSAND
}

/** The named characters of HTML that a token, its base64 or another escape has. */
const NAMED = new Map<string, number>(
  Object.entries({
    amp: '&',
    AMP: '&',
    bsol: '\\',
    equals: '=',
    hash: '#',
    lowbar: '_',
    num: '#',
    percnt: '%',
    period: '.',
    plus: '+',
    semi: ';',
    sol: '/',
    UnderBar: '_',
  }).map(([name, character]) => [name, codeOf(character)]),
)
const LONGEST_NAME = 8
/** `\\\\\\\\.` is MarkdownV2 in JSON in JSON in JSON. */
const MAX_BACKSLASHES = 8
/** With zeros in front. */
const MAX_DIGITS = 7

type State = 'backslash' | 'hexadecimal' | 'ampersand' | 'name' | 'number' | 'decimal' | 'hexadecimal number'

/**
 * Takes one level of escapes off a text: `\u002e`, `\x2e`, `\.`, `%2e`, `&#46;`, `&#x2e;` and `&period;`. A backslash of
 * JSON in JSON is doubled, so a run of them is one. What is no escape, or stands for no visible character of ASCII, is
 * passed on as it is.
 */
export class Unescaper implements CharacterSink {
  private readonly next: CharacterSink
  private state: State | undefined
  private value = 0
  /** Hexadecimal digits that are still to come; digits or letters that were read. */
  private digits = 0
  private codes: number[] = []
  private places: number[] = []

  constructor(next: CharacterSink) {
    this.next = next
  }

  push(code: number, place: number): void {
    if (this.state !== undefined) {
      this.continue(code, place)
      return
    }
    if (!beginsEscape(code)) {
      this.next.push(code, place)
      return
    }
    this.keep(code, place)
    if (code === BACKSLASH) this.state = 'backslash'
    else if (code === AMPERSAND) this.state = 'ampersand'
    else this.expect(2)
  }

  /** The text has ended. */
  end(): void {
    if (this.state === 'decimal' || this.state === 'hexadecimal number') this.resolve(this.value)
    else this.giveUp()
  }

  /** Whether no escape has begun. */
  isQuiet(): boolean {
    return this.state === undefined
  }

  /** Where an escape begins that may still be completed; Infinity when there is none. */
  earliest(): number {
    return this.places[0] ?? Number.POSITIVE_INFINITY
  }

  private continue(code: number, place: number): void {
    switch (this.state) {
      case 'backslash':
        return this.afterBackslash(code, place)
      case 'hexadecimal': {
        const digit = digitOf(code, 16)
        if (digit < 0) return this.interrupt(code, place)
        this.add(16, digit, code, place)
        this.digits -= 1
        if (this.digits === 0) this.resolve(this.value)
        return
      }
      case 'ampersand':
        if (code === HASH) return this.move('number', code, place)
        if (isLetter(code)) return this.move('name', code, place)
        return this.interrupt(code, place)
      case 'name':
        if (code === SEMICOLON) {
          this.keep(code, place)
          return this.resolve(NAMED.get(String.fromCharCode(...this.codes.slice(1, -1))) ?? 0)
        }
        if (!isLetter(code) || this.codes.length > LONGEST_NAME) return this.interrupt(code, place)
        return this.keep(code, place)
      case 'number':
        if (code === X || code === CAPITAL_X) return this.move('hexadecimal number', code, place)
        if (digitOf(code, 10) < 0) return this.interrupt(code, place)
        this.state = 'decimal'
        return this.inNumber(10, code, place)
      case 'decimal':
        return this.inNumber(10, code, place)
      default:
        return this.inNumber(16, code, place)
    }
  }

  private afterBackslash(code: number, place: number): void {
    if (code === BACKSLASH) {
      if (this.codes.length === MAX_BACKSLASHES) this.interrupt(code, place)
      else this.keep(code, place)
      return
    }
    this.keep(code, place)
    if (code === U || code === X) this.expect(code === U ? 4 : 2)
    else this.resolve(code === N ? LINE_FEED : code === R ? CARRIAGE_RETURN : code)
  }

  private inNumber(radix: number, code: number, place: number): void {
    const digit = digitOf(code, radix)
    if (digit >= 0 && this.digits < MAX_DIGITS) {
      this.digits += 1
      this.add(radix, digit, code, place)
      return
    }
    if (this.digits === 0) return this.interrupt(code, place)
    if (code === SEMICOLON) {
      this.keep(code, place)
      this.resolve(this.value)
      return
    }
    // HTML takes a number without its semicolon, too.
    this.resolve(this.value)
    this.push(code, place)
  }

  private expect(digits: number): void {
    this.state = 'hexadecimal'
    this.digits = digits
    this.value = 0
  }

  private move(state: State, code: number, place: number): void {
    this.state = state
    this.digits = 0
    this.value = 0
    this.keep(code, place)
  }

  private add(radix: number, digit: number, code: number, place: number): void {
    this.value = this.value * radix + digit
    this.keep(code, place)
  }

  private keep(code: number, place: number): void {
    this.codes.push(code)
    this.places.push(place)
  }

  /** The escape is whole. */
  private resolve(value: number): void {
    const isOfUse = (value > 32 && value < 127) || value === LINE_FEED || value === CARRIAGE_RETURN
    if (!isOfUse) return this.giveUp()
    const [place] = this.places as [number]
    this.clear()
    this.next.push(value, place)
  }

  /** It was no escape. */
  private giveUp(): void {
    const { codes, places } = this
    this.clear()
    codes.forEach((code, index) => {
      this.next.push(code, places[index] as number)
    })
  }

  private interrupt(code: number, place: number): void {
    this.giveUp()
    this.push(code, place)
  }

  private clear(): void {
    this.state = undefined
    this.codes = []
    this.places = []
    this.digits = 0
    this.value = 0
  }
}

function digitOf(code: number, radix: number): number {
  if (code >= 48 && code <= 57) return code - 48
  if (radix === 10) return -1
  const letter = code | 32
  return letter >= 97 && letter <= 102 ? letter - 87 : -1
}

function isLetter(code: number): boolean {
  const letter = code | 32
  return letter >= 97 && letter <= 122
}
