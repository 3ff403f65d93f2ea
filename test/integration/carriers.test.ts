import { testCarriers } from '../support/carrier-suite.js'
import { carriers } from '../support/carriers.js'

// All in one process, as in the tests of an app: what one does to Express must not reach another.
testCarriers(carriers)
