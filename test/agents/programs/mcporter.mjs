import { join } from 'node:path'
import { run } from './command.mjs'
import { loop, told } from './loop.mjs'

const file = join(told.kit, 'node_modules/mcporter/dist/cli.js')
await loop(() =>
  run(file, ['--config', '.mcp.json', 'call', 'app.preview_open', 'page=index.html'], { cwd: told.project }),
)
