// The CommonJS form of a package, made from its build when it is packed (`prepack`): dist/x.js becomes dist/cjs/x.cjs. It
// is for tools whose require() cannot load ESM, such as Jest. Node.js itself loads the ESM form:
// docs/decisions/0053-commonjs-for-tools.md
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { build } from 'esbuild'

/** Dependencies that are published as ESM alone. They are copied into the files that import them. */
const ESM_ONLY = ['jose', 'openid-client']

const dist = join(process.cwd(), 'dist')
const target = join(dist, 'cjs')

/** The files that the package's exports lead to, relative to dist and without `.js`. */
function reachable(entries) {
  const stems = new Set(entries)
  for (const stem of stems) {
    const text = readFileSync(join(dist, `${stem}.js`), 'utf8')
    if (/import\.meta(?!\.url\b)/.test(text))
      throw new Error(`${stem}.js: CommonJS has nothing of import.meta but its url`)
    for (const [, path] of text.matchAll(/['"](\.{1,2}\/[^'"\n]+)\.js['"]/g)) stems.add(join(dirname(stem), path))
  }
  return [...stems]
}

/** Our files stay apart, and dependencies stay outside, but for those that are ESM alone. */
const layout = {
  name: 'layout',
  setup({ onResolve }) {
    onResolve({ filter: /.*/ }, ({ path, kind, resolveDir }) => {
      const isOurs = !relative(dist, resolveDir).startsWith('..')
      if (kind === 'entry-point' || !isOurs || ESM_ONLY.includes(path)) return undefined
      return { path: path.startsWith('.') ? path.replace(/\.js$/, '.cjs') : path, external: true }
    })
  },
}

/** What a CommonJS file takes for `import.meta.url`: that of its ESM twin, so that what it names is found from both. */
const TWIN = '__urlOfTheEsmFile'
const TWIN_LINE = `const ${TWIN} = require('node:url').pathToFileURL(__filename.replace(/([\\\\/])cjs([\\\\/].*)\\.cjs$/, '$1$2.js')).href\n`

/** The licences of the copied dependencies. */
function licences(inputs) {
  const folders = new Map()
  for (const input of inputs) {
    const [, folder, name] = /^(.*node_modules\/((?:@[^/]+\/)?[^/]+))\//.exec(input.replaceAll('\\', '/')) ?? []
    if (folder !== undefined) folders.set(name, folder)
  }
  return [...folders].sort().map(([name, folder]) => {
    const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
    const file = readdirSync(folder).find((candidate) => /^licen[sc]e/i.test(candidate))
    return `${name} ${version}\n\n${readFileSync(join(folder, file), 'utf8').trim()}\n`
  })
}

const { exports } = JSON.parse(readFileSync('package.json', 'utf8'))
const entries = Object.values(exports).map(({ default: path }) => relative('dist', path).replace(/\.js$/, ''))

const { outputFiles, metafile } = await build({
  entryPoints: reachable(entries).map((stem) => join(dist, `${stem}.js`)),
  outbase: dist,
  outdir: target,
  outExtension: { '.js': '.cjs' },
  bundle: true,
  format: 'cjs',
  platform: 'node',
  target: 'node20.19',
  // Those tools cannot run import() either.
  supported: { 'dynamic-import': false },
  metafile: true,
  define: { 'import.meta.url': TWIN },
  write: false,
  plugins: [layout],
})
const files = new Map(
  outputFiles.map(({ path, text }) => [
    path,
    text.includes(TWIN) ? text.replace('"use strict";\n', (first) => first + TWIN_LINE) : text,
  ]),
)
// The declarations are those of the ESM form, so that an app in both formats has each type once.
for (const stem of entries) {
  const file = join(target, `${stem}.d.cts`)
  const path = relative(dirname(file), join(dist, stem)).replaceAll('\\', '/')
  files.set(file, `export * from '${path}.js'\n`)
}
const copied = licences(Object.keys(metafile.inputs))
if (copied.length > 0) files.set(join(target, 'LICENSES.txt'), copied.join(`\n${'-'.repeat(80)}\n\n`))

// Two processes may pack one package at a time: each file is replaced in one step, and only when it is another.
for (const [file, text] of files) {
  if (existsSync(file) && readFileSync(file, 'utf8') === text) continue
  const draft = join(dist, `.cjs-${process.pid}`)
  writeFileSync(draft, text)
  mkdirSync(dirname(file), { recursive: true })
  renameSync(draft, file)
}
for (const path of readdirSync(target, { recursive: true })) {
  if (/\.(cjs|cts|txt)$/.test(path) && !files.has(join(target, path))) rmSync(join(target, path), { force: true })
}
