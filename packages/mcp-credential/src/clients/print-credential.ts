#!/usr/bin/env node
// The header helper of an agent: `node print-credential.js --file <file>` prints the header fields of a credential file as
// JSON. It needs no other package, asks no store, and never quotes the file, which may hold a token.
import { readFileSync } from 'node:fs'
import { authorizationIn } from './credential-format.js'

const [option, file, ...others] = process.argv.slice(2)

function fail(exitCode: number, message: string): void {
  process.stderr.write(`${message}\n`)
  process.exitCode = exitCode
}

if (option !== '--file' || file === undefined || others.length > 0) {
  fail(2, 'usage: print-credential --file <file>')
} else {
  try {
    const authorization = authorizationIn(readFileSync(file, 'utf8'))
    if (authorization !== undefined) process.stdout.write(`${JSON.stringify({ Authorization: authorization })}\n`)
    else
      fail(1, `${file}: it contains no credential: write it with writeCredentialFile() of @countersign/mcp-credential`)
  } catch (error) {
    fail(1, `${file}: it cannot be read (${(error as NodeJS.ErrnoException).code})`)
  }
}
