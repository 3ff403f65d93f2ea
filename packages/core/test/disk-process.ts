// Claims over a file system that is watched, and of which the head fails once. Says which folders were put on disk before the
// first claim, and what each claim came to.
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'

const [, , folder = ''] = process.argv
const { openSync, fsyncSync, writeSync } = fs
const paths = new Map<number, string>()
const synced: string[] = []
let failsHead = false
fs.openSync = (path, ...rest) => {
  const fd = openSync(path, ...rest)
  paths.set(fd, String(path))
  return fd
}
fs.fsyncSync = (fd) => {
  synced.push(paths.get(fd) ?? '')
  fsyncSync(fd)
}
fs.writeSync = ((fd: number, ...rest: [string]) => {
  if (failsHead && paths.get(fd)?.endsWith('.head')) {
    throw Object.assign(new Error('EIO: i/o error, write'), { code: 'EIO', syscall: 'write' })
  }
  return writeSync(fd, ...rest)
}) as typeof writeSync
syncBuiltinESMExports()
const { fileReplay, fileStores } = await import('@countersign/core/file')

const store = fileReplay(fileStores(folder))
const folders = synced.filter((path) => !path.endsWith('.new'))
const claims: unknown[] = []
for (const [key, fails] of [
  ['a', true],
  ['b', false],
] as const) {
  failsHead = fails
  try {
    claims.push(await store.claim(key, 3_600_000))
  } catch (error) {
    claims.push((error as { code?: string }).code)
  }
}
process.send?.({ folders, claims }, () => process.kill(process.pid, 'SIGKILL'))
