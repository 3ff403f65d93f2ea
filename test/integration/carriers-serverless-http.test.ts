import { testCarriers } from '../support/carrier-suite.js'
import { serverlessHttp } from '../support/carriers.js'

testCarriers(serverlessHttp)
