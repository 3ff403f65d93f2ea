// The public API of each entry of each published package, from its built types, as a report for reviewers:
//   node test/api/extract.mjs            names the reports that no longer hold, and ends with 1 when there are any
//   node test/api/extract.mjs --update   writes them anew
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
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

/** Whether the report of an entry holds, or was written anew. */
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

function extractAll() {
  const stale = []
  const known = new Set()
  for (const folder of readdirSync(packages)) {
    const entries = entriesOf(folder)
    const configs = entries.map((entry) => configFor(folder, entry))
    if (configs.length === 0) continue
    const compilerState = CompilerState.create(configs[0], { additionalEntryPoints: entries.map(({ types }) => types) })
    configs.forEach((config, index) => {
      const { name } = entries[index]
      known.add(`${name}.api.md`)
      if (!extract(config, compilerState)) stale.push(name)
    })
  }
  return { stale, left: readdirSync(reports).filter((file) => file.endsWith('.api.md') && !known.has(file)) }
}

try {
  const { stale, left } = extractAll()
  for (const name of stale) console.log(`test/api/${name}.api.md does not say what ${name} exports: npm run api:update`)
  for (const file of left) {
    if (update) rmSync(join(reports, file))
    else console.log(`test/api/${file} is the report of no entry: npm run api:update`)
  }
  process.exitCode = stale.length + (update ? 0 : left.length) > 0 ? 1 : 0
} finally {
  rmSync(temporary, { recursive: true, force: true })
}
