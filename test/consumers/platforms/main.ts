// Prints what the gates answer on each platform of one runtime: `main.mjs node`, `main.mjs runtime`, `main.mjs nest`.
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import express from 'express'
import { carriers, http1, sendHttp1 } from '../../support/carriers.js'
import { askGates, type Cells } from './cells.js'

const require = createRequire(import.meta.url)
const [mode = 'node'] = process.argv.slice(2)
const rows: [string, Cells][] = []

const on = (name: string) => require(name) as typeof express

if (mode === 'nest') {
  const { startNest } = (await import(pathToFileURL(join(import.meta.dirname, 'nest.mjs')).href)) as {
    startNest(router: object): Promise<{ port: number; close(): Promise<void> }>
  }
  const nest: typeof http1 extends (...words: never[]) => infer K ? K : never = {
    name: 'NestJS 11, `rawBody: true`, module middleware',
    tellsLines: true,
    takesFraming: false,
    start: async (routes) => {
      const { port, close } = await startNest(routes(express))
      return { send: sendHttp1(port), close }
    },
  }
  rows.push([nest.name, await askGates(nest, express, 'rawBody')])
} else if (mode === 'runtime') {
  rows.push(['Express 5, HTTP/1.1', await askGates(http1('', express), express)])
} else {
  for (const [name, version] of [
    ['Express 4.18.0, HTTP/1.1', on('express-4.18')],
    ['Express 4 (the last), HTTP/1.1', on('express-4')],
    ['Express 5, HTTP/1.1', express],
  ] as const) {
    rows.push([name, await askGates(http1(name, version), version)])
  }
  const others = carriers.filter(({ name }) => name !== 'HTTP/1.1' && !name.endsWith('body in text'))
  for (const kind of others) rows.push([kind.name.replace(/, body in base64$/, ''), await askGates(kind, express)])
}
console.log(JSON.stringify(rows))
process.exit()
