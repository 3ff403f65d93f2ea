// What the console knows from audit events: the last ones, how many decisions there were each second, and what they say of
// keys, issuers and people. All of it is bounded, however many events come and whatever is in them.

const MOST_EVENTS = 500
const MOST_NAMES = 1000
const MOST_PEOPLE = 20_000
const SECONDS = 60

/** Listens to an emitter. */
export function createFeed(audit) {
  const listeners = new Set()
  const gates = new Set()
  const seconds = new Map()
  const health = createHealth()
  const people = new Set()
  const startedAt = Date.now()
  let entries = []
  let seq = 0

  audit.subscribe(function operatorsConsole(event) {
    seq += 1
    const entry = { seq, event }
    entries.push(entry)
    if (entries.length >= 2 * MOST_EVENTS) entries = entries.slice(-MOST_EVENTS)
    if (event.gate !== undefined && gates.size < MOST_NAMES) gates.add(event.gate)
    count(event)
    health.note(event)
    notePerson(event)
    for (const listener of listeners) listener(entry)
  })

  function count({ type, time, outcome, attributes }) {
    const isFold = type === 'audit.events.folded'
    if (!isFold && !isDecision(type)) return
    const second = Math.floor(Date.parse(time) / 1000)
    const counts = seconds.get(second) ?? { success: 0, failure: 0, error: 0 }
    counts[outcome] += isFold ? Number(attributes?.folded ?? 1) : 1
    seconds.set(second, counts)
    if (seconds.size > 2 * SECONDS) seconds.delete(seconds.keys().next().value)
  }

  // The store lists the sessions of one user. Which users have some is in the events.
  function notePerson({ gate, type, principal }) {
    const isSeen = type === 'access.granted' || type === 'settings.session.opened'
    if (gate !== 'settings-session' || !isSeen || principal === undefined || people.has(principal.id)) return
    if (people.size >= MOST_PEOPLE) people.delete(people.keys().next().value)
    people.add(principal.id)
  }

  return {
    startedAt,
    gates: () => [...gates].sort(),
    health,
    /** The ids of the people who were seen with a session, the last one first. */
    people: () => [...people].reverse(),
    forgetPerson: (id) => void people.delete(id),
    /** Calls back for each event, with its number. */
    listen(listener) {
      listeners.add(listener)
    },
    /** What was decided in the last minute, second by second, the oldest first. */
    lastMinute(now = Date.now()) {
      const last = Math.floor(now / 1000)
      const none = { success: 0, failure: 0, error: 0 }
      return Array.from({ length: SECONDS }, (_, index) => seconds.get(last - SECONDS + 1 + index) ?? none)
    },
    /** The last events after a number, at most so many, the newest first; and how many more there were. */
    since(number, filter, most) {
      // A greater one is of the process before this one.
      const after = number > seq ? 0 : number
      const found = entries.filter((entry) => entry.seq > after && matches(filter, entry.event))
      const kept = found.slice(-most).reverse()
      const lost = Math.max(0, (entries[0]?.seq ?? seq + 1) - after - 1)
      return { entries: kept, skipped: after === 0 ? 0 : found.length - kept.length + lost, seq }
    },
  }
}

function isDecision(type) {
  return type.startsWith('access.')
}

/** Whether an event is one of those that a filter asks for. */
export function matches({ outcome, gate, kind, text }, event) {
  if (outcome !== undefined && event.outcome !== outcome) return false
  if (gate !== undefined && event.gate !== gate) return false
  if (kind !== undefined && (kind === 'decisions') !== isDecision(event.type)) return false
  if (text === undefined) return true
  const { type, reason, principal, credential, http, attributes } = event
  const texts = [type, reason, principal?.id, credential?.id, http?.route, http?.clientAddress, attributes?.operator]
  return texts.some((value) => value !== undefined && String(value).toLowerCase().includes(text.toLowerCase()))
}

/** What events say of issuers, and of what could not be asked. */
function createHealth() {
  const issuers = new Map()
  const outages = new Map()
  const granted = new Map()

  function keep(map, key, value) {
    if (map.has(key) || map.size < MOST_NAMES) map.set(key, { ...map.get(key), ...value })
  }

  return {
    note({ type, gate, reason, time, attributes }) {
      const at = Date.parse(time)
      const issuer = attributes?.issuer
      if (type === 'access.granted') granted.set(gate, at)
      else if (type === 'access.unavailable') {
        const key = `${gate} ${reason}`
        const count = (outages.get(key)?.count ?? 0) + 1
        keep(outages, key, { gate, reason, count, at, failure: attributes?.failure })
      } else if (type === 'oauth.keys.unavailable') {
        keep(issuers, issuer, { failedAt: at, failure: attributes?.failure, usesStale: attributes?.stale_keys_used })
      } else if (type === 'oauth.keys.recovered') keep(issuers, issuer, { failedAt: undefined, recoveredAt: at })
      else if (type === 'oauth.keys.rotated') {
        const { added, removed } = attributes
        keep(issuers, issuer, { failedAt: undefined, rotatedAt: at, added, removed })
      }
    },
    issuers: (known) =>
      [...new Set([...known, ...issuers.keys()])].map((issuer) => ({ issuer, ...issuers.get(issuer) })),
    /** What could not be asked. It is over when its gate has granted something since. */
    outages: () =>
      [...outages.values()].map((outage) => ({ ...outage, isOver: (granted.get(outage.gate) ?? 0) > outage.at })),
    troubles() {
      return (
        [...issuers.values()].filter(({ failedAt }) => failedAt !== undefined).length +
        this.outages().filter(({ isOver }) => !isOver).length
      )
    },
  }
}
