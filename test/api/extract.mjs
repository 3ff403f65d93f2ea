// The public API of each entry of each published package, from its built types, as a report for reviewers:
//   node test/api/extract.mjs            names the reports that no longer hold, and ends with 1 when there are any
//   node test/api/extract.mjs --update   rewrites them
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { CompilerState, Extractor, ExtractorConfig } from '@microsoft/api-extractor'

const reports = dirname(fileURLToPath(import.meta.url))
const packages = join(dirname(dirname(reports)), 'packages')
const update = process.argv.includes('--update')
const temporary = mkdtempSync(join(tmpdir(), 'countersign-api-'))

/** The entries of a published package, by the names of their reports: `hmac`, `hmac.redis`. */
function entriesOf(folder) {
  const manifest = JSON.parse(readFileSync(join(packages, folder, 'package.json'), 'utf8'))
  if (manifest.private) return []
  return Object.entries(manifest.exports).map(([subPath, { types }]) => ({
    name: folder + subPath.slice(1).replaceAll('/', '.'),
    types: join(packages, folder, types),
  }))
}

function configFor(folder, { name, types }) {
  const projectFolder = join(packages, folder)
  return ExtractorConfig.prepare({
    packageJsonFullPath: join(projectFolder, 'package.json'),
    configObjectFullPath: undefined,
    configObject: {
      projectFolder,
      mainEntryPointFilePath: types,
      newlineKind: 'lf',
      compiler: {
        overrideTsconfig: {
          compilerOptions: {
            module: 'nodenext',
            moduleResolution: 'nodenext',
            target: 'es2022',
            lib: ['es2023', 'es2024.string'],
            types: ['node'],
            strict: true,
            skipLibCheck: true,
          },
          files: [types],
        },
      },
      apiReport: {
        enabled: true,
        reportFolder: reports,
        reportTempFolder: temporary,
        reportFileName: name,
      },
      docModel: { enabled: false },
      dtsRollup: { enabled: false },
      tsdocMetadata: { enabled: false },
      messages: {
        compilerMessageReporting: { default: { logLevel: 'error' } },
        extractorMessageReporting: { default: { logLevel: 'none' } },
        tsdocMessageReporting: { default: { logLevel: 'none' } },
      },
    },
  })
}

/** Whether the report of an entry holds, or was rewritten. */
function extract(config, compilerState) {
  const result = Extractor.invoke(config, {
    localBuild: update,
    compilerState,
    messageCallback: (message) => {
      message.handled = message.logLevel !== 'error'
    },
  })
  return result.errorCount === 0 && (update || !result.apiReportChanged)
}

/** The entries of a package whose report does not hold. One program is enough for all of them. */
function staleOf(folder) {
  const entries = entriesOf(folder)
  const built = entries.filter(({ types }) => existsSync(types))
  const configs = built.map((entry) => configFor(folder, entry))
  const [first] = configs
  const compilerState = first && CompilerState.create(first, { additionalEntryPoints: built.map(({ types }) => types) })
  const stale = built.filter((_entry, index) => !extract(configs[index], compilerState))
  return [
    ...entries.filter((entry) => !built.includes(entry)).map(({ name }) => `${name} is not built: npm run build`),
    ...stale.map(({ name }) => `test/api/${name}.api.md does not say what ${name} exports: npm run api:update`),
  ]
}

/** The reports of entries that are gone; an update removes them. */
function leftOver(folders) {
  const known = folders.flatMap(entriesOf).map(({ name }) => `${name}.api.md`)
  return readdirSync(reports).filter((file) => file.endsWith('.api.md') && !known.includes(file))
}

try {
  const folders = readdirSync(packages)
  const complaints = folders.flatMap(staleOf)
  for (const file of leftOver(folders)) {
    if (update) rmSync(join(reports, file))
    else complaints.push(`test/api/${file} is the report of no entry: npm run api:update`)
  }
  for (const complaint of complaints) console.log(complaint)
  process.exitCode = complaints.length > 0 ? 1 : 0
} finally {
  rmSync(temporary, { recursive: true, force: true })
}
