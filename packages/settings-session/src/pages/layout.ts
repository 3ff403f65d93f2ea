import { Html, html } from './html.js'
import type { PageModel } from './page-options.js'

const STYLE = `:root{color-scheme:light dark;--accent:#0b57d0;--on-accent:#fff;--text:#1b1b1f;--background:#f4f4f7;--surface:#fff;--line:#c7c7d1;--alert:#b3261e}
@media(prefers-color-scheme:dark){:root{--accent:#a8c7fa;--on-accent:#062e6f;--text:#e4e4e9;--background:#131318;--surface:#1f1f26;--line:#4a4a55;--alert:#f2b8b5}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:grid;place-items:center;background:var(--background);color:var(--text);font:1rem/1.5 system-ui,sans-serif}
main{width:min(28rem,100%);padding:2rem;background:var(--surface);border:1px solid var(--line);border-radius:.75rem}
.brand{margin:0 0 .5rem;font-size:.9rem;font-weight:600}
h1{margin:0 0 1rem;font-size:1.4rem;line-height:1.25}
dl{display:grid;grid-template-columns:auto 1fr;gap:.25rem 1rem;margin:0 0 1.25rem}
dt{font-weight:600}
dd{margin:0;overflow-wrap:anywhere}
label{display:block;font-weight:600}
input[type=text]{display:block;width:100%;margin:.25rem 0 1rem;padding:.6rem;font:inherit;font-size:1.25rem;letter-spacing:.2em;color:inherit;background:transparent;border:1px solid var(--text);border-radius:.4rem}
button,.button{display:inline-block;padding:.7rem 1.25rem;border:0;border-radius:.4rem;background:var(--accent);color:var(--on-accent);font:inherit;font-weight:600;text-decoration:none;cursor:pointer}
:focus-visible{outline:3px solid var(--accent);outline-offset:3px}
.hint{font-size:.9rem}
.alert{color:var(--alert);font-weight:600}`

/** A whole document around a page's content. */
export function layout({ nonce, theme }: PageModel, title: string, content: Html, head: Html = html``): string {
  return html`<!doctype html>
<html lang="${theme.lang ?? 'en'}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${theme.brand === undefined ? title : `${title} – ${theme.brand}`}</title>
${head}<style nonce="${nonce}">${new Html(safeCss(STYLE + (theme.css ?? '')))}</style>
</head>
<body>
<main>
${theme.brand === undefined ? html`` : html`<p class="brand">${theme.brand}</p>\n`}<h1>${title}</h1>
${content}
</main>
</body>
</html>
`.text
}

/** The app's own CSS must not end the style element by accident. */
function safeCss(css: string): string {
  return css.replaceAll('<', '\\3c ')
}
