import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A certificate authority that nobody knows, and a certificate of it. In PEM. */
export interface PrivateCa {
  readonly ca: string
  /** The file with `ca`. */
  readonly file: string
  readonly key: string
  readonly cert: string
  remove(): void
}

/** Makes an authority, and a certificate for these names and addresses, such as `DNS:issuer.test`. */
export function makePrivateCa(...names: readonly string[]): PrivateCa {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-ca-'))
  const openssl = (...args: readonly string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' })
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  writeFileSync(join(folder, 'names.cnf'), `subjectAltName=${names.join(',')}\n`)
  openssl('req', '-x509', ...newKey, '-keyout', 'ca.key', '-out', 'ca.pem', '-days', '2', '-subj', '/CN=A private CA')
  openssl('req', ...newKey, '-keyout', 'key.pem', '-out', 'request.pem', '-subj', '/CN=server')
  const by = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-extfile', 'names.cnf']
  openssl('x509', '-req', '-in', 'request.pem', ...by, '-days', '2', '-out', 'cert.pem')
  const read = (name: string) => readFileSync(join(folder, name), 'utf8')
  return {
    ca: read('ca.pem'),
    file: join(folder, 'ca.pem'),
    key: read('key.pem'),
    cert: read('cert.pem'),
    remove: () => rmSync(folder, { recursive: true }),
  }
}
