import { Html, html } from './html.js'
import { colourCss } from './look.js'
import type { PageModel } from './page-options.js'

// Borders that are transparent show in forced colours, where backgrounds do not.
const STYLE = `:root{color-scheme:light dark;--accent:#0b57d0;--on-accent:#fff;--text:#1b1b1f;--background:#f4f4f7;--surface:#fff;--line:#c7c7d1;--alert:#b3261e}
@media(prefers-color-scheme:dark){:root{--accent:#a8c7fa;--on-accent:#062e6f;--text:#e4e4e9;--background:#131318;--surface:#1f1f26;--line:#4a4a55;--alert:#f2b8b5}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;min-height:100dvh;display:grid;align-content:center;justify-items:center;padding:1rem;background:var(--background);color:var(--text);font:1rem/1.5 system-ui,sans-serif}
main{width:min(30rem,100%);padding:2rem;background:var(--surface);border:1px solid var(--line);border-radius:1rem}
.brand{display:flex;align-items:center;gap:.6rem;margin:0 0 1.25rem;font-weight:600}
.brand img{max-height:2.5rem;max-width:10rem}
h1{margin:0 0 .75rem;font-size:1.5rem;line-height:1.25;text-wrap:balance}
p{margin:0 0 1rem}
main>:last-child{margin-bottom:0}
dl{display:grid;grid-template-columns:auto 1fr;gap:.4rem 1rem;margin:0 0 1.25rem;padding:1rem 0;border-block:1px solid var(--line)}
dt{font-weight:600}
dd{margin:0;overflow-wrap:anywhere}
label{display:block;font-weight:600}
input[type=text]{display:block;width:100%;margin:.25rem 0 1rem;padding:.7rem;font:inherit;font-size:1.4rem;letter-spacing:.2em;color:inherit;background:transparent;border:1px solid var(--text);border-radius:.5rem}
.actions{display:flex;flex-wrap:wrap;gap:.75rem;margin:0 0 1.25rem}
button,.button{display:inline-block;min-height:2.75rem;padding:.65rem 1.25rem;border:1px solid transparent;border-radius:.5rem;background:var(--accent);color:var(--on-accent);font:inherit;font-weight:600;text-align:center;text-decoration:none;cursor:pointer}
button.quiet{background:transparent;color:var(--text);border-color:var(--line)}
:focus-visible{outline:3px solid var(--accent);outline-offset:3px}
h1:focus{outline:none}
.hint{font-size:.9rem}
.warning{padding-inline-start:.9rem;border-inline-start:4px solid var(--alert)}
.alert{color:var(--alert);font-weight:600}
@media(max-width:32rem){body{align-content:start;padding:0;background:var(--surface)}main{padding:1.5rem 1.25rem;border:0;border-radius:0}.actions>*,button,.button{width:100%}dl{grid-template-columns:1fr}dd{margin-bottom:.4rem}}
@media(forced-colors:active){:focus-visible{outline-color:Highlight}.button{border-color:LinkText}}`

/** A whole document around a page's content. */
export function layout(model: PageModel, title: string, content: Html, head: Html = html``): string {
  const { nonce, theme, lang, dir } = model
  const { brand, logo, icon, colour, css = '' } = theme
  const styles = new Html(safeCss(STYLE + colourCss(colour) + css))
  return html`<!doctype html>
<html lang="${lang}" dir="${dir}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${brand === undefined ? title : `${title} – ${brand}`}</title>
${icon === undefined ? html`` : html`<link rel="icon" href="${icon}">\n`}${head}<style nonce="${nonce}">${styles}</style>
</head>
<body>
<main>
${brandLine(brand, logo)}<h1>${title}</h1>
${content}
</main>
</body>
</html>
`.text
}

function brandLine(brand: string | undefined, logo: string | undefined): Html {
  if (brand === undefined && logo === undefined) return html``
  const picture = logo === undefined ? html`` : html`<img src="${logo}" alt="">`
  return html`<p class="brand">${picture}${brand}</p>\n`
}

/** The app's own CSS must not end the style element by accident. */
function safeCss(css: string): string {
  return css.replaceAll('<', '\\3c ')
}
