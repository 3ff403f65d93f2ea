import { testCarriers } from '../support/carrier-suite.js'
import { direct } from '../support/carriers.js'

testCarriers(direct)
