import { randomUUID } from 'node:crypto'
import { Browser, formOf, type PageForm } from '../../packages/demo/src/browser.js'
import { signInternal } from '../support/gates-app.js'
import { count, GATES, type Gate, newTally, type Tally } from './tally.js'
import { pause, type World } from './world.js'

/** Milliseconds between the requests of one caller, and before the retry that a 503 invites. */
const PAUSE_MS = 30
const RETRY_MS = 60
/** Probes at a time when all that was ended is used again. */
const AT_ONCE = 16
/** Milliseconds until a recovery counts as none. */
const RECOVERY_MS = 45_000

/** For how many milliseconds a client uses a token. */
const TOKEN_MS = 500
/** Credentials, and sessions, that are ended in the moment of the fault. */
const SPARES = 5
/** What each gate grants before a fault. */
const WARM = 20

/** Uses something and says the status. */
type Use = () => Promise<number>

/**
 * Honest callers of every gate, who retry what is answered 503, and among them thieves, who use again what was used or
 * ended. What each got is in `tally`.
 */
export class Traffic {
  readonly tally: Tally = newTally()
  readonly #world: World
  readonly #isPatient: boolean
  readonly #callers: Promise<void>[] = []
  /** Two runs have no names in common. */
  readonly #id = randomUUID()
  #isOver = false
  #sequence = 0
  readonly #grantedAt: Record<Gate, number> = { hmac: 0, mcp: 0, settings: 0, oauth: 0 }
  #token = { value: '', untilMs: 0 }
  /** What must never be granted again. */
  readonly #ended: { gate: Gate; effect: 'late' | 'twice'; use: Use }[] = []
  /** Ends that were asked once, and answered 503, and when that was. */
  readonly #undecided: { gate: Gate; use: Use; fromMs: number; toMs: number }[] = []
  /** Ended during the fault. */
  readonly #spares: (() => Promise<void>)[] = []
  /** Issued once each, and not ended. */
  readonly #kept: { thread: string; use: Use }[] = []

  /** `isPatient`: an operation that is answered 503 is sent again, as it was signed; otherwise it is given up. */
  constructor(world: World, isPatient = true) {
    this.#world = world
    this.#isPatient = isPatient
  }

  /** Starts the callers, and waits until every gate has granted what they ask a few times. */
  async start(): Promise<void> {
    const credentials = await Promise.all([1, 2].map(() => this.#issue(this.#name())))
    const people = await Promise.all([1, 2].map(() => this.#openSettings(this.#name())))
    const callers: (() => Promise<unknown>)[] = [
      ...[1, 2, 3].map(() => () => this.#signedOperation()),
      ...credentials.map(
        ({ use }) =>
          () =>
            this.#honest('mcp', use),
      ),
      () => this.#lifeOfCredential(),
      ...people.map(
        ({ use }) =>
          () =>
            this.#honest('settings', use),
      ),
      () => this.#lifeOfSession(),
      () => this.#honest('oauth', this.#withToken),
    ]
    for (let left = SPARES; left > 0; left -= 1) {
      const { id, use } = await this.#issue(this.#name())
      this.#spares.push(() => this.#end('mcp', `/host/credentials/${id}`, use, false))
      const person = this.#name()
      const settings = await this.#openSettings(person)
      this.#spares.push(() => this.#end('settings', `/host/people/${person}/sessions`, settings.use, false))
    }
    for (const caller of callers) this.#callers.push(this.#repeat(caller))
    while (GATES.some((gate) => this.tally[gate].granted < WARM)) await this.untilAllGrant()
  }

  /** Waits until every gate has granted what was asked from now on. */
  async untilAllGrant(): Promise<void> {
    const sinceMs = performance.now()
    const isMissing = (gate: Gate) => this.#grantedAt[gate] <= sinceMs
    while (GATES.some(isMissing)) {
      if (performance.now() > sinceMs + RECOVERY_MS) {
        throw new Error(`no 200 from ${GATES.filter(isMissing)}: ${JSON.stringify(this.tally)}`)
      }
      // A caller that has failed says why.
      await Promise.race([pause(20), Promise.all(this.#callers)])
    }
  }

  /** Asks once for the end of a few credentials and sessions. */
  async endSpares(): Promise<void> {
    await Promise.all(this.#spares.map((end) => end()))
  }

  /**
   * Ends the callers, and uses everything that was used or ended once more. What was asked and answered 503 during
   * `deaf`, when Redis did nothing, must not have been done.
   */
  async finish(deaf?: { readonly fromMs: number; readonly toMs: number }): Promise<void> {
    this.#isOver = true
    await Promise.all(this.#callers)
    const before = await this.#eachOf(this.#undecided, ({ use }) => decided(use))
    await this.#eachOf(this.#ended, async ({ gate, effect, use }) => {
      const status = await decided(use)
      if (status === 200) this.tally[gate][effect] += 1
      else this.tally[gate].refused += 1
    })
    await this.#eachOf(this.#kept, async ({ thread, use }) => {
      count(this.tally.mcp, await decided(use))
      const path = `/host/threads/${thread}/credentials`
      const { count: found } = (await (await this.#decided(path, 'GET')).json()) as { count: number }
      if (found !== 1) this.tally.mcp.twice += 1
    })
    await this.#eachOf(this.#undecided, async ({ gate, use, fromMs, toMs }, index) => {
      const isWithin = deaf !== undefined && fromMs >= deaf.fromMs && toMs <= deaf.toMs
      // What was alive after the outage stays so: an end that was answered 503 does not come later.
      const isEnded = (await decided(use)) !== 200
      if (isEnded && (before[index] === 200 || isWithin)) this.tally[gate].late += 1
    })
  }

  async #eachOf<T, R>(list: readonly T[], work: (each: T, index: number) => Promise<R>): Promise<R[]> {
    const results: R[] = []
    for (let from = 0; from < list.length; from += AT_ONCE) {
      const part = list.slice(from, from + AT_ONCE)
      results.push(...(await Promise.all(part.map((each, index) => work(each, from + index)))))
    }
    return results
  }

  async #repeat(work: () => Promise<unknown>): Promise<void> {
    while (!this.#isOver) {
      await work()
      await pause(PAUSE_MS)
    }
  }

  async #honest(gate: Gate, use: Use): Promise<number> {
    const startedMs = performance.now()
    const status = await use()
    count(this.tally[gate], status)
    if (status === 200) this.#grantedAt[gate] = Math.max(startedMs, this.#grantedAt[gate])
    return status
  }

  /** The retries that a 503 invites. */
  async #honestUntilDecided(gate: Gate, use: Use): Promise<number> {
    for (;;) {
      const status = await this.#honest(gate, use)
      if (status !== 503) return status
      await pause(RETRY_MS)
    }
  }

  /** Uses what was used or ended. */
  async #misuse(gate: Gate, effect: 'late' | 'twice', use: Use): Promise<void> {
    const status = await use()
    if (status === 200) this.tally[gate][effect] += 1
    else if (status !== 503) this.tally[gate].refused += 1
    this.#ended.push({ gate, effect, use })
  }

  async #signedOperation(): Promise<void> {
    const body = JSON.stringify({ operation: this.#name() })
    const headers = signInternal(this.#world.url, body)
    const use = () => this.#status('/internal', { method: 'POST', headers, body })
    const status = await (this.#isPatient ? this.#honestUntilDecided('hmac', use) : this.#honest('hmac', use))
    if (status === 200) await this.#misuse('hmac', 'twice', use)
  }

  async #lifeOfCredential(): Promise<void> {
    const thread = this.#name()
    const { id, use } = await this.#issue(thread)
    await this.#honestUntilDecided('mcp', use)
    const fate = this.#sequence % 3
    if (fate === 0) this.#kept.push({ thread, use })
    else await this.#end('mcp', `/host/credentials/${id}`, use, fate === 1)
  }

  async #lifeOfSession(): Promise<void> {
    const person = this.#name()
    const { link, use } = await this.#openSettings(person)
    await this.#honestUntilDecided('settings', use)
    // A thief has the link, which opened its one session.
    await this.#misuse('settings', 'twice', async () => {
      const { status, form } = await this.#follow(new Browser(), link)
      return form === undefined ? (status === 200 ? 404 : status) : 200
    })
    await this.#end('settings', `/host/people/${person}/sessions`, use, this.#sequence % 2 === 0)
  }

  /** Ends something: once, or until the end is acknowledged. */
  async #end(gate: Gate, path: string, use: Use, isPatient: boolean): Promise<void> {
    const send = () => this.#status(path, { method: 'DELETE' })
    const fromMs = performance.now()
    let status = await send()
    for (; isPatient && status === 503; status = await send()) await pause(RETRY_MS)
    if (status === 204) await this.#misuse(gate, 'late', use)
    else if (status === 503) this.#undecided.push({ gate, use, fromMs, toMs: performance.now() })
    else count(this.tally[gate], status)
  }

  async #issue(thread: string): Promise<{ readonly id: string; readonly use: Use }> {
    const response = await this.#decided(`/host/threads/${thread}/credentials`, 'POST')
    const { id, authorization } = (await response.json()) as { id: string; authorization: string }
    return { id, use: () => this.#status('/agent', { headers: { authorization } }) }
  }

  async #openSettings(person: string): Promise<{ readonly link: string; readonly use: Use }> {
    const response = await this.#decided(`/host/people/${person}/links`, 'POST')
    const { link } = (await response.json()) as { link: string }
    const browser = new Browser()
    let form: PageForm | undefined
    while (form === undefined) {
      const page = await this.#follow(browser, link)
      form = page.form
      count(this.tally.settings, page.status)
      if (form === undefined && page.status !== 503) throw new Error(`a link that nobody opened: ${page.status}`)
      if (form === undefined) await pause(RETRY_MS)
    }
    const button = form
    await this.#honestUntilDecided('settings', async () => statusOf(await browser.press(button, link)))
    return { link, use: async () => statusOf(await browser.open(`${this.#world.url}/settings`)) }
  }

  /** Opens a link: the form of its confirm page, when there is one. */
  async #follow(browser: Browser, link: string): Promise<{ status: number; form: PageForm | undefined }> {
    const page = await browser.open(link)
    const html = await page.text()
    return { status: page.status, form: page.status === 200 ? formOf(html) : undefined }
  }

  readonly #withToken = async (): Promise<number> => {
    if (performance.now() > this.#token.untilMs) {
      this.#token = { value: await this.#world.issuer.token(), untilMs: performance.now() + TOKEN_MS }
    }
    const authorization = `Bearer ${this.#token.value}`
    return this.#status('/client', { headers: { authorization } })
  }

  /** What the host asks of its own app, until it is done. */
  async #decided(path: string, method: string): Promise<Response> {
    for (;;) {
      const response = await fetch(this.#world.url + path, { method })
      if (response.status === 200) return response
      const text = await response.text()
      if (response.status !== 503) throw new Error(`${method} ${path}: ${response.status} ${text}`)
      await pause(RETRY_MS)
    }
  }

  async #status(path: string, init: RequestInit): Promise<number> {
    return statusOf(await fetch(this.#world.url + path, init))
  }

  #name(): string {
    this.#sequence += 1
    return `${this.#id}-${this.#sequence}`
  }
}

async function statusOf(response: Response): Promise<number> {
  await response.arrayBuffer()
  return response.status
}

async function decided(use: Use): Promise<number> {
  for (;;) {
    const status = await use()
    if (status !== 503) return status
    await pause(RETRY_MS)
  }
}
