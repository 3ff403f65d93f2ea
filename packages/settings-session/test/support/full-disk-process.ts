// Makes every change of state while the disk is full, and again when there is room. Says what each came to.
import { spawnSync } from 'node:child_process'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { fileStores } from '@countersign/core/file'
import { fileSessions } from '@countersign/settings-session/file'
import { storeChanges } from './store-changes.js'
import { look, newUser, opened } from './store-world.js'

const [, , folder = ''] = process.argv
const store = fileSessions(fileStores(folder))

function setRoom(room: string): void {
  const { status, stderr } = spawnSync('prlimit', [`--pid=${process.pid}`, `--fsize=${room}:unlimited`])
  if (status !== 0) throw new Error(`prlimit: ${stderr}`)
}

async function outcomeOf(work: () => Promise<unknown>): Promise<string> {
  try {
    return String(await work())
  } catch (error) {
    const { code, dependency } = error as { code?: string; dependency?: string }
    return `${code} ${dependency}`
  }
}

const { session } = await opened(store, newUser())
const changes: (() => Promise<unknown>)[] = []
for (const change of storeChanges) {
  const make = await change.prepare(store)
  changes.push(() => make(store))
}
setRoom(String(statSync(join(folder, 'sessions')).size + 20))
const full: string[] = []
for (const make of changes) full.push(await outcomeOf(make))
full.push(await outcomeOf(() => look(store, session)))
setRoom('unlimited')
const after: string[] = []
for (const make of changes) after.push(await outcomeOf(make))
after.push(await outcomeOf(() => look(store, session)))
process.send?.({ full, after })
process.disconnect?.()
