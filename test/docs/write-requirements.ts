import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../structure/workspace.js'
import { requirementsPage } from './requirements-page.js'

writeFileSync(join(root, 'docs/security/requirements.md'), await requirementsPage())
