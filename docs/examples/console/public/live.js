// The live list. Everything else works without a script.
const MOST_ROWS = 100
const list = document.querySelector('#feed')
if (list !== null) follow()

function follow() {
  const state = document.querySelector('#state')
  const pause = document.querySelector('#pause')
  const sums = document.querySelector('#totals')
  const more = document.querySelector('#skipped')
  let seq = list.dataset.seq
  let skipped = 0
  let source
  let late

  function connect() {
    source = new EventSource(`${list.dataset.events}&after=${seq}`)
    source.addEventListener('open', () => show('Live', 'on'))
    source.addEventListener('error', () => {
      if (source.readyState === EventSource.CLOSED) return show('Not connected: load the page again', 'off')
      // The server ends each connection after a minute: that it is made again is no news, unless it takes long.
      clearTimeout(late)
      late = setTimeout(show, 5000, 'Connecting again…', 'off')
    })
    source.addEventListener('rows', (event) => {
      seq = event.lastEventId
      add(JSON.parse(event.data))
    })
    source.addEventListener('totals', (event) => {
      sums.innerHTML = JSON.parse(event.data).html
    })
  }

  function add(batch) {
    const rows = document.createElement('template')
    rows.innerHTML = batch.html
    list.prepend(rows.content)
    while (list.children.length > MOST_ROWS) list.lastElementChild.remove()
    skipped += batch.skipped
    more.hidden = skipped === 0
    more.textContent = `${skipped} more came than the list could follow. A filter leaves fewer.`
  }

  function show(text, look) {
    clearTimeout(late)
    // A status that is written again is read again.
    if (state.textContent !== text) state.textContent = text
    state.className = look
  }

  function stop() {
    if (pause.textContent !== 'Pause') return
    source.close()
    pause.textContent = 'Resume'
    show('Paused', 'off')
  }

  pause.hidden = false
  pause.addEventListener('click', () => {
    if (pause.textContent === 'Pause') return stop()
    pause.textContent = 'Pause'
    connect()
  })
  // What somebody reads must not move away.
  list.addEventListener('toggle', ({ target }) => target.open && stop(), true)
  connect()
}
