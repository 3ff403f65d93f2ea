// `npm run platforms:update`: writes the table of docs/platforms.md.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../../structure/workspace.js'
import { askPlatforms, PAGE, withTable } from './matrix.js'

const file = join(root, PAGE)
writeFileSync(file, withTable(readFileSync(file, 'utf8'), askPlatforms()))
