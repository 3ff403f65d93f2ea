import { createHash } from 'node:crypto'
import { createReadStream, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import express from 'express'
import { type RunningServer, serve } from '../support/http-server.js'
import { run, type Tarball } from './tarballs.js'

/** A registry of these tarballs on loopback, with what npm reads of one; of other packages it knows nothing. */
export function serveRegistry(tarballs: readonly Tarball[]): Promise<RunningServer> {
  const app = express()
  app.get('/files/:name', (request, response) => {
    const found = tarballs.find(({ file }) => basename(file) === request.params.name)
    if (found === undefined) return void response.sendStatus(404)
    createReadStream(found.file).pipe(response)
  })
  app.get('/:name', (request, response) => {
    const found = tarballs.find(({ name }) => name === request.params.name)
    if (found === undefined) return void response.sendStatus(404)
    const { name, file, folder } = found
    const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string }
    const integrity = `sha512-${createHash('sha512').update(readFileSync(file)).digest('base64')}`
    const tarball = `http://${request.headers.host}/files/${basename(file)}`
    const version = { ...manifest, dist: { tarball, integrity } }
    response.json({ name, 'dist-tags': { latest: manifest.version }, versions: { [manifest.version]: version } })
  })
  return serve(app)
}

/** Makes npm take our packages from there, in a folder or with that prefix, and all others from where it does otherwise. */
export function useRegistry(folder: string, { url }: RunningServer): void {
  const settings = `@countersign:registry=${url}/\naudit=false\nfund=false\nprefer-offline=true\n`
  writeFileSync(join(folder, '.npmrc'), settings)
  // npm install --global reads no file of the folder.
  mkdirSync(join(folder, 'etc'))
  writeFileSync(join(folder, 'etc/npmrc'), settings)
}

/** npx keeps what it installed, by name and version: of a package of ours that is an older build of the same version. */
export function forgetNpx(folder: string): void {
  const kept = join(run('npm', ['config', 'get', 'cache'], folder).trim(), '_npx')
  for (const name of existsSync(kept) ? readdirSync(kept) : []) {
    const file = join(kept, name, 'package.json')
    if (existsSync(file) && readFileSync(file, 'utf8').includes('"@countersign/')) {
      rmSync(join(kept, name), { recursive: true, force: true })
    }
  }
}
