import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { TEST_CERTIFICATE, TEST_KEY } from '../../../test/support/test-certificate.js'

/** A client's own host, which serves its metadata document (Client ID Metadata Documents). */
export interface ClientDocuments {
  /** The `client_id` of the client. */
  readonly clientId: string
  /** What a process needs to trust this host. */
  readonly trust: Readonly<Record<string, string>>
  /** How often the document was fetched. */
  fetched(): number
  close(): Promise<void>
}

/** Serves the metadata of a client over https. */
export async function serveClientDocument(metadata: object): Promise<ClientDocuments> {
  let count = 0
  const server = createServer({ cert: TEST_CERTIFICATE, key: TEST_KEY }, (request, response) => {
    count += 1
    const { port } = server.address() as { port: number }
    const document = { client_id: `https://127.0.0.1:${port}${request.url}`, ...metadata }
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(document))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const folder = mkdtempSync(join(tmpdir(), 'countersign-client-'))
  const file = join(folder, 'ca.pem')
  writeFileSync(file, TEST_CERTIFICATE)
  return {
    clientId: `https://127.0.0.1:${(server.address() as { port: number }).port}/client.json`,
    trust: { NODE_EXTRA_CA_CERTS: file },
    fetched: () => count,
    close: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
      rmSync(folder, { recursive: true })
    },
  }
}
