#!/usr/bin/env node
import { exitCodes } from './exit-codes.js'
import { main } from './main.js'
import { Output } from './output.js'

// What Node warns of is for whoever writes the command, not for whoever types it.
process.removeAllListeners('warning')
const interruption = new AbortController()
process.once('SIGINT', () => {
  interruption.abort()
  // What waits for a server and sees no signal is left.
  setTimeout(() => process.exit(exitCodes.interrupted), 1000).unref()
})
// Who reads our output may have seen enough, as `head` has: that is no error.
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
