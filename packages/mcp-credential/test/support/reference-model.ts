/** The page's rules in the plainest form: what each token must, may and must not be. Times are ms. */
export const LIFE = { idle: 30 * 60_000, coalesce: 60_000, maximum: 2 * 3_600_000, retention: 3_600_000 }

export interface ModelToken {
  readonly id: string
  readonly token: string
  readonly thread: string
  readonly provider: string
  readonly session: string | undefined
  holder: ModelToken | undefined
  isRevoked: boolean
  endedAt: number | undefined
  usableUntil: number
  /** The last sign of life: certain, and at the latest. In running time, and on the clock. */
  sign: { lo: number; hi: number; loNow: number; hiNow: number }
}

export class ReferenceModel {
  now = 0
  running = 0
  readonly tokens: ModelToken[] = []
  readonly retired = new Set<string>()

  /** Everything that a token may be found as. */
  allowed(token: ModelToken): Set<string> {
    const subject = token.holder ?? token
    const answers = new Set<string>()
    if (token.isRevoked || subject.isRevoked) answers.add('revoked')
    else if (this.now > subject.usableUntil) answers.add('superseded')
    else this.#byTime(subject, answers)
    if (!answers.has('live') && this.#isOld(token, subject)) {
      answers.add('unknown')
    }
    return answers
  }

  isSurelyLive(token: ModelToken): boolean {
    const answers = this.allowed(token)
    return answers.size === 1 && answers.has('live')
  }

  #byTime({ sign }: ModelToken, answers: Set<string>): void {
    const { idle, coalesce, maximum } = LIFE
    const surelyExpired = this.now > sign.hiNow + maximum
    const maybeExpired = this.now > sign.loNow + maximum - coalesce
    const surelyIdle = this.running > sign.hi + idle + coalesce
    const maybeIdle = this.running > sign.lo + idle
    if (!surelyExpired && !surelyIdle) answers.add('live')
    if (maybeExpired) answers.add('expired')
    if (!surelyExpired && maybeIdle) answers.add('idle')
  }

  #isOld(token: ModelToken, subject: ModelToken): boolean {
    const ended = Math.min(token.endedAt ?? Infinity, subject.endedAt ?? Infinity, subject.usableUntil)
    const deadSince = Math.min(ended, subject.sign.loNow + LIFE.idle, token.sign.loNow + LIFE.idle)
    return this.now >= deadSince + LIFE.retention - 120_000
  }

  add(part: Pick<ModelToken, 'id' | 'token' | 'thread' | 'provider' | 'session'>): ModelToken {
    const token: ModelToken = {
      ...part,
      holder: undefined,
      isRevoked: false,
      endedAt: undefined,
      usableUntil: Infinity,
      sign: this.#here(),
    }
    this.tokens.push(token)
    return token
  }

  #here() {
    return { lo: this.running, hi: this.running, loNow: this.now, hiNow: this.now }
  }

  /** A use that was seen to succeed. */
  used(token: ModelToken): void {
    const subject = token.holder ?? token
    subject.sign = this.#here()
    token.sign = this.#here()
  }

  touch(thread: string): void {
    for (const token of this.tokens.filter((one) => one.thread === thread && one.holder === undefined)) {
      const answers = this.allowed(token)
      if (this.isSurelyLive(token)) token.sign = this.#here()
      else if (answers.has('live')) token.sign = { ...token.sign, hi: this.running, hiNow: this.now }
    }
  }

  supersede(newest: ModelToken, overlap: number): void {
    for (const token of this.#siblings(newest)) {
      token.usableUntil = Math.min(token.usableUntil, overlap === 0 ? this.now - 1 : this.now + overlap)
    }
  }

  /** Returns what contradicts the rules. */
  carry(newest: ModelToken, carried: readonly string[]): string[] {
    const wrong: string[] = []
    const siblings = this.#siblings(newest)
    const before = siblings.map((token) => ({ token, answers: this.allowed(token) }))
    for (const { token, answers } of before) {
      const isCarried = carried.includes(token.id)
      if (isCarried && !answers.has('live')) wrong.push(`carried ${[...answers]}`)
      const isInOverlap = (token.holder ?? token).usableUntil !== Infinity
      if (isCarried && isInOverlap) wrong.push('carried one beyond its overlap')
      if (!isCarried && !isInOverlap && answers.size === 1 && answers.has('live'))
        wrong.push('did not carry a live one')
      if (isCarried) {
        token.holder = newest
        token.sign = this.#here()
      }
    }
    return wrong
  }

  #siblings({ id, thread, provider }: ModelToken): ModelToken[] {
    return this.tokens.filter((one) => one.id !== id && one.thread === thread && one.provider === provider)
  }

  revoke(matches: (token: ModelToken) => boolean): void {
    for (const token of this.tokens.filter((one) => !one.isRevoked && matches(one))) {
      token.isRevoked = true
      token.endedAt = this.now
    }
  }
}
