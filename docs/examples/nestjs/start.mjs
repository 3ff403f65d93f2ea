// Starts each of the files that it is given as a process of its own. They end together.
import { spawn } from 'node:child_process'

const children = process.argv
  .slice(2)
  .map((file) => spawn(process.execPath, [...process.execArgv, file], { stdio: 'inherit' }))
const stop = () => {
  for (const child of children) child.kill()
}
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, stop)
for (const child of children) {
  child.once('exit', (code) => {
    process.exitCode ||= code ?? 0
    stop()
  })
}
