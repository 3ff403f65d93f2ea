// One process of the benchmark: measures the case that its parent names.
import { caseOf } from './cases/index.js'
import { measureCase } from './measure.js'
import { answerWith } from './processes.js'

answerWith(({ id, rounds }: { id: string; rounds: number }) => measureCase(caseOf(id), rounds))
