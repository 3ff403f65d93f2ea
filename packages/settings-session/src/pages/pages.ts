import { confirm, release } from './confirm.js'
import { Html, html } from './html.js'
import { layout } from './layout.js'
import type { PageModels, PageName } from './page-options.js'

/**
 * The pages that are used where the app gives none of its own. They are plain, and need no script but for Telegram's: what
 * Telegram signed is in the fragment of the URL, which no server gets.
 */
export const defaultPages: { readonly [N in PageName]: (model: PageModels[N]) => string } = {
  confirm,
  interstitial,
  error,
  loggedOut,
  notMe,
  release,
  telegram,
}

// Not a refresh of the page: it would take what is being read from under the reader (WCAG 2.2, 3.2.5).
const WAITING_SCRIPT = `const { href, dataset } = document.querySelector('[data-seconds]')
const ask = () => fetch(href, { headers: { accept: 'application/json' } })
  .then((answer) => answer.json()).catch(() => ({ waiting: true }))
  .then(({ waiting }) => waiting === true ? later() : location.replace(href))
const later = () => setTimeout(ask, 1000 * dataset.seconds)
later()`

function interstitial(model: PageModels['interstitial']): string {
  const { goTo, text, link, delaySeconds, texts, nonce } = model
  const isAtOnce = delaySeconds === 0
  const seconds = isAtOnce ? html`` : html` data-seconds="${delaySeconds}"`
  const script = isAtOnce ? html`` : html`\n<script nonce="${nonce}">${new Html(WAITING_SCRIPT)}</script>`
  return layout(
    model,
    texts.waitTitle,
    html`<p role="status">${text}</p>
<p><a class="button" href="${goTo}"${seconds}>${link}</a></p>${script}`,
    isAtOnce ? html`<meta http-equiv="refresh" content="0;url=${goTo}">\n` : html``,
  )
}

function error(model: PageModels['error']): string {
  const { title, text, link } = model
  const way = link === undefined ? html`` : html`\n<p><a class="button" href="${link.href}">${link.text}</a></p>`
  return layout(model, title, html`<p>${text}</p>${way}`)
}

function loggedOut(model: PageModels['loggedOut']): string {
  const { loggedOutTitle, loggedOutText } = model.texts
  return layout(model, loggedOutTitle, html`<p>${loggedOutText}</p>`)
}

function notMe(model: PageModels['notMe']): string {
  const { notMeTitle, notMeText } = model.texts
  return layout(model, notMeTitle, html`<p>${notMeText}</p>`)
}

const TELEGRAM_SCRIPT = `const main = document.querySelector('[data-action]')
const data = new URLSearchParams(location.hash.slice(1)).get('tgWebAppData')
const fail = (status) => { main.textContent = status === 401 ? main.dataset.failed : main.dataset.later; main.className = 'alert' }
history.replaceState(null, '', location.pathname)
if (!data) main.dataset.otherwise ? location.replace(main.dataset.otherwise) : fail(401)
else fetch(main.dataset.action, {
  method: 'POST',
  headers: { 'content-type': 'application/json', accept: 'application/json' },
  body: JSON.stringify({ initData: data }),
}).then((answer) => answer.ok ? answer.json() : Promise.reject(answer.status)).then(({ goTo }) => location.replace(goTo)).catch(fail)`

function telegram(model: PageModels['telegram']): string {
  const { action, otherwise, nonce, texts } = model
  return layout(
    model,
    texts.waitTitle,
    html`<p role="status" data-action="${action}"${otherwise === undefined ? html`` : html` data-otherwise="${otherwise}"`} data-failed="${texts.telegramFailed}" data-later="${texts.laterTitle}">${texts.telegramAsking}</p>
<noscript><p class="alert">${texts.telegramNoScript}</p></noscript>
<script nonce="${nonce}">${new Html(TELEGRAM_SCRIPT)}</script>`,
  )
}
