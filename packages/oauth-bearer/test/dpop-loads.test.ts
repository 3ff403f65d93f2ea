import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from '@jest/globals'

const CHILD = fileURLToPath(new URL('./dpop-loads-process.ts', import.meta.url))

interface Coverage {
  readonly result: readonly { readonly url: string }[]
}

/** The files of proofs that a process has loaded, which granted one request to a bearer token. */
async function loaded(dpop: string): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'loads-'))
  try {
    const args = ['--conditions=dev-source', '--import', 'tsx', CHILD, dpop]
    const env = { ...process.env, NODE_OPTIONS: '', NODE_V8_COVERAGE: folder }
    const { stdout } = await promisify(execFile)(process.execPath, args, { env })
    expect(stdout.trim()).toBe('200')
    const urls = readdirSync(folder).flatMap((file) => {
      const { result } = JSON.parse(readFileSync(join(folder, file), 'utf8')) as Coverage
      return result.map(({ url }) => url)
    })
    expect(urls.some((url) => url.includes('/oauth-bearer/src/verify.'))).toBe(true)
    return urls.filter((url) => url.includes('/oauth-bearer/src/proof/'))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

test('[dpop-bearer-path] a gate that checks no proofs loads nothing of them', async () => {
  expect(await loaded('off')).toEqual([])
  expect((await loaded('accepted')).length).toBeGreaterThan(3)
})
