import { type Html, html } from './html.js'
import { layout } from './layout.js'
import type { NamedUser, PageModels } from './page-options.js'
import type { PageTexts, TextKey } from './texts/en.js'

type Confirm = PageModels['confirm']

/** The page that asks whether a link is to be opened. What an app or a platform named stands apart (`bdi`), whatever it holds. */
export function confirm(model: Confirm): string {
  const { action, fields, kind, platform, provider, texts } = model
  const hidden = hiddenFields(fields)
  const button = provider === undefined ? html`${texts.open}` : sentence(texts, 'continueAndSignIn', { provider })
  return layout(
    model,
    kind === 'settings' ? texts.confirmTitle : texts.confirmOtherTitle,
    html`<p>${sentence(texts, 'confirmIntro', { platform })}</p>
<dl>
${details(model)}</dl>
${warnings(model)}<form method="post" action="${action}">
${hidden}${model.needsCode ? codeField(model) : html``}<div class="actions"><button>${button}</button>
<button class="quiet" name="notMe" value="1" formnovalidate>${texts.notMe}</button></div>
</form>
<p class="hint">${texts.confirmHint}</p>`,
  )
}

/** The page that asks whether an account is to be released by another user. */
export function release(model: PageModels['release']): string {
  const { action, fields, returns, texts } = model
  return layout(
    model,
    texts.releaseTitle,
    html`<p>${texts.releaseText}</p>
<p>${account(texts, 'releaseUser', model)}</p>
<p class="warning">${texts.releaseHint}</p>
${returning(returns, texts)}<form method="post" action="${action}">
${hiddenFields(fields)}<div class="actions"><button>${texts.releaseButton}</button></div>
</form>`,
  )
}

function hiddenFields(fields: Readonly<Record<string, string>>): readonly Html[] {
  return Object.entries(fields).map(([name, value]) => html`<input type="hidden" name="${name}" value="${value}">\n`)
}

function details({
  user,
  platform,
  agentId,
  display = {},
  expiresAt,
  secondsLeft,
  lang,
  texts,
}: Confirm): readonly Html[] {
  const named = { user: display.account ?? user, platform }
  const rows: readonly (readonly [string, Html | undefined])[] = [
    [texts.labelAccount, account(texts, 'accountOnPlatform', named)],
    [texts.labelChat, optional(display.chat)],
    [texts.labelApp, optional(display.app)],
    [texts.labelPurpose, optional(display.purpose)],
    [texts.labelAgent, optional(agentId)],
    [texts.labelTimeLeft, html`<time datetime="${expiresAt.toISOString()}">${timeLeft(lang, secondsLeft)}</time>`],
  ]
  return rows.flatMap(([label, value]) => (value === undefined ? [] : [html`<dt>${label}</dt><dd>${value}</dd>\n`]))
}

function optional(text: string | undefined): Html | undefined {
  return text === undefined ? undefined : html`<bdi>${text}</bdi>`
}

/** In the words of the language: a time of the clock means little where its zone is not the reader's. */
function timeLeft(lang: string, seconds: number): string {
  const minutes = Math.max(1, Math.floor(seconds / 60))
  const [value, unit] = minutes < 120 ? [minutes, 'minute'] : [Math.floor(minutes / 60), 'hour']
  return new Intl.NumberFormat(lang, { style: 'unit', unit, unitDisplay: 'long' }).format(value)
}

function warnings({ connects, returns, replaces, texts }: Confirm): readonly Html[] {
  return [
    ...(replaces === undefined ? [] : [html`<p class="warning">${account(texts, 'replaces', replaces)}</p>\n`]),
    ...(connects ? [html`<p class="warning">${texts.warnConnect}</p>\n`, ...returning(returns, texts)] : []),
  ]
}

function returning(returns: boolean, texts: PageTexts): readonly Html[] {
  return returns ? [html`<p class="warning">${texts.warnReturn}</p>\n`] : []
}

function codeField({ isCodeWrong, isCodeIncomplete, texts }: Confirm): Html {
  const problem = isCodeIncomplete ? texts.codeIncomplete : isCodeWrong ? texts.codeWrong : undefined
  const alert = problem === undefined ? html`` : html`<p class="alert" id="wrong" role="alert">${problem}</p>\n`
  const marks = problem === undefined ? html`` : html` aria-invalid="true" aria-describedby="wrong" autofocus`
  // Longer than six: what is pasted may have spaces and hyphens.
  return html`${alert}<label for="code">${texts.codeLabel}</label>
<input type="text" id="code" name="code" dir="ltr" inputmode="numeric" autocomplete="one-time-code" maxlength="32" required${marks}>
`
}

function account(texts: PageTexts, key: TextKey, { user, platform }: NamedUser): Html {
  return sentence(texts, key, { account: user, platform })
}

/** A sentence whose names stand apart from its direction. */
function sentence(texts: PageTexts, key: TextKey, values: Readonly<Record<string, string>>): Html {
  const parts = texts[key].split(/\{(\w+)\}/)
  return html`${parts.map((part, index) => (index % 2 === 0 ? html`${part}` : html`<bdi>${values[part]}</bdi>`))}`
}
