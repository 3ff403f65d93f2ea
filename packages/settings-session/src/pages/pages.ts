import { Html, html } from './html.js'
import { layout } from './layout.js'
import type { PageModels, PageName } from './page-options.js'

/**
 * The pages that are used where the app gives none of its own. They are plain, and without script but for Telegram's: what
 * Telegram signed is in the fragment of the URL, which no server gets.
 */
export const defaultPages: { readonly [N in PageName]: (model: PageModels[N]) => string } = {
  confirm,
  interstitial,
  error,
  loggedOut,
  telegram,
}

function confirm(model: PageModels['confirm']): string {
  const { action, fields, kind, platform, user, agentId, provider, expiresAt } = model
  const hidden = Object.entries(fields).map(
    ([name, value]) => html`<input type="hidden" name="${name}" value="${value}">\n`,
  )
  const title = kind === 'settings' ? 'Open your settings' : 'Continue from the chat'
  const time = `${expiresAt.toISOString().slice(11, 16)} UTC`
  return layout(
    model,
    title,
    html`<p>You followed a link from a chat. Is this you?</p>
<dl>
<dt>Account</dt><dd>${user} on ${platform}</dd>
${agentId === undefined ? html`` : html`<dt>Agent</dt><dd>${agentId}</dd>\n`}<dt>Until</dt><dd><time datetime="${expiresAt.toISOString()}">${time}</time></dd>
</dl>
<form method="post" action="${action}">
${hidden}${model.needsCode ? codeField(model) : html``}<button>${provider === undefined ? 'Open' : `Continue and sign in with ${provider}`}</button>
</form>
<p class="hint">If you did not ask for this link, close this page. Nothing was opened.</p>`,
  )
}

function codeField({ isCodeWrong }: PageModels['confirm']): Html {
  const alert = html`<p class="alert" id="wrong" role="alert">These are not the digits that the chat shows.</p>\n`
  return html`${isCodeWrong ? alert : html``}<label for="code">The digits that the chat shows</label>
<input type="text" id="code" name="code" inputmode="numeric" autocomplete="one-time-code" maxlength="6" required${isCodeWrong ? html` aria-invalid="true" aria-describedby="wrong"` : html``}>
`
}

function interstitial(model: PageModels['interstitial']): string {
  const { goTo, text, link, delaySeconds } = model
  return layout(
    model,
    'One moment',
    html`<p>${text}</p>
<p><a class="button" href="${goTo}">${link}</a></p>`,
    html`<meta http-equiv="refresh" content="${delaySeconds};url=${goTo}">\n`,
  )
}

function error(model: PageModels['error']): string {
  const { title, text, link } = model
  return layout(
    model,
    title,
    html`<p>${text}</p>${
      link === undefined
        ? html``
        : html`
<p><a class="button" href="${link.href}">${link.text}</a></p>`
    }`,
  )
}

function loggedOut(model: PageModels['loggedOut']): string {
  return layout(model, 'You are signed out', html`<p>Ask for a new link in the chat to open your settings again.</p>`)
}

const TELEGRAM_SCRIPT = `const main = document.querySelector('[data-action]')
const data = new URLSearchParams(location.hash.slice(1)).get('tgWebAppData')
const fail = () => { main.textContent = main.dataset.failed; main.className = 'alert' }
history.replaceState(null, '', location.pathname)
if (!data) main.dataset.otherwise ? location.replace(main.dataset.otherwise) : fail()
else fetch(main.dataset.action, {
  method: 'POST',
  headers: { 'content-type': 'application/json', accept: 'application/json' },
  body: JSON.stringify({ initData: data }),
}).then((answer) => answer.ok ? answer.json() : Promise.reject()).then(({ goTo }) => location.replace(goTo)).catch(fail)`

function telegram(model: PageModels['telegram']): string {
  return layout(
    model,
    'One moment',
    html`<p role="status" data-action="${model.action}"${
      model.otherwise === undefined ? html`` : html` data-otherwise="${model.otherwise}"`
    } data-failed="Telegram did not confirm who you are. Open this page again from the chat.">Asking Telegram who you are.</p>
<noscript><p class="alert">Telegram opens this page only with JavaScript. Ask for a link in the chat instead.</p></noscript>
<script nonce="${model.nonce}">${new Html(TELEGRAM_SCRIPT)}</script>`,
  )
}
