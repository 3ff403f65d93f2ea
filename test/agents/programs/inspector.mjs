import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { run } from './command.mjs'
import { loop, told } from './loop.mjs'

const folder = join(told.kit, 'node_modules/@modelcontextprotocol/inspector')
const { bin } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
const { url, requestInit } = told.config
const header = ['--header', `Authorization: ${requestInit.headers.Authorization}`]
const method = ['--method', 'tools/call', '--tool-name', 'preview_open', '--tool-arg', 'page=index.html']
const words = ['--cli', url, '--transport', 'http', ...header, ...method]
await loop(() => run(join(folder, bin['mcp-inspector']), words))
