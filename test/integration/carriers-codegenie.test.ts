import { testCarriers } from '../support/carrier-suite.js'
import { codegenie } from '../support/carriers.js'

testCarriers(codegenie)
