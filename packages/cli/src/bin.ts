#!/usr/bin/env node
import { exitCodes } from './errors.js'
import { main } from './main.js'
import { Output } from './output.js'

// Node's warnings are for developers of the command, not for its users.
process.removeAllListeners('warning')
const interruption = new AbortController()
process.once('SIGINT', () => {
  interruption.abort()
  // For calls that take no signal.
  setTimeout(() => process.exit(exitCodes.interrupted), 1000).unref()
})
// The reader of a pipe may stop early, as `head` does: not an error.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0)
    throw error
  })
}

process.exitCode = await main(process.argv.slice(2), {
  env: process.env,
  stdin: process.stdin,
  output: new Output(process.stdout, process.stderr, process.env),
  signal: interruption.signal,
})
