import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../structure/workspace.js'
import { reasonsPage } from './reasons-page.js'

writeFileSync(join(root, 'docs/errors/reasons.md'), reasonsPage())
