import { matches } from './feed.js'
import { rows, totals } from './pages.js'

/** What has come is sent together, so often; the totals, which also keep the connection, every second time. */
const BATCH_MS = 500
/** Rows of one batch. What else came meanwhile is counted. */
const MOST_ROWS = 100
/** Then the browser connects again, through the gate: who may not see this any more sees it for so long at most. */
const LIFE_MS = 60_000
const MOST_STREAMS = 100

/** Server-sent events of a feed: rows of HTML, in batches, as many as a browser can follow. */
export function createStreams(feed) {
  const streams = new Set()
  let timer
  let ticks = 0

  feed.listen((entry) => {
    for (const { filter, pending } of streams) if (matches(filter, entry.event)) add(pending, entry)
  })

  function tick() {
    ticks += 1
    const sums = ticks % 2 === 0 ? message('totals', { html: String(totals(feed.lastMinute())) }) : ''
    for (const stream of streams) {
      const { response } = stream
      const isOver = Date.now() > stream.until
      // Ended already, here or by what stands before it. A browser that does not read that either is cut off.
      if (response.writableEnded) {
        if (isOver) response.destroy()
        continue
      }
      // A browser that does not read gets nothing more until it does: what waits for it has a bound.
      if (response.writableNeedDrain) {
        if (isOver) response.destroy()
        continue
      }
      const text = batchOf(stream) + sums
      if (text !== '') response.write(text)
      if (isOver) response.end()
    }
  }

  return function stream(request, response, filter) {
    // It went away, or was ended, before it came here: no `close` would take it off the list.
    if (response.destroyed || response.writableEnded) return
    if (streams.size >= MOST_STREAMS) return void response.status(503).set('Retry-After', '60').end()
    response.set({
      'Content-Type': 'text/event-stream',
      'Cache-Control': 'no-store, no-transform',
      'X-Accel-Buffering': 'no',
    })
    const after = Number(request.get('last-event-id') ?? request.query.after) || 0
    const { entries, skipped, seq } = feed.since(after, filter, MOST_ROWS)
    const stream = { response, filter, until: Date.now() + LIFE_MS, pending: { entries: entries.reverse(), skipped } }
    response.write(`retry: 1000\n\n${batchOf(stream) || message('rows', { html: '', skipped: 0 }, seq)}`)
    streams.add(stream)
    timer ??= setInterval(tick, BATCH_MS)
    response.on('close', () => {
      streams.delete(stream)
      if (streams.size > 0) return
      clearInterval(timer)
      timer = undefined
    })
  }
}

function add(pending, entry) {
  pending.entries.push(entry)
  if (pending.entries.length <= MOST_ROWS) return
  pending.entries.shift()
  pending.skipped += 1
}

/** What waits for a stream, the newest first, as one message; nothing when nothing does. */
function batchOf(stream) {
  const { entries, skipped } = stream.pending
  if (entries.length === 0) return ''
  stream.pending = { entries: [], skipped: 0 }
  return message('rows', { html: rows(entries.toReversed()), skipped }, entries.at(-1).seq)
}

function message(name, data, id) {
  return `event: ${name}\n${id === undefined ? '' : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`
}
