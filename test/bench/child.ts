// One process of the benchmark: measures the case that its parent names.
import { allCases } from './cases/index.js'
import { serveParent } from './measure.js'

await serveParent(allCases)
process.exit()
