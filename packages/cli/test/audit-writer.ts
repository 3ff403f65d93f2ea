import { createAudit } from '@countersign/audit'
import { jsonl } from '@countersign/audit/jsonl'

/** Writes events to the file until it is killed. Prints a line when the first ones are written. */
const [, , file = ''] = process.argv
const audit = createAudit({ sinks: [jsonl(file)] })
const filler = 'x'.repeat(200)
for (let round = 0; ; round += 1) {
  for (let index = 0; index < 200; index += 1) {
    audit.emit({ type: 'access.granted', gate: 'hmac', attributes: { round, index, filler } })
  }
  await audit.flush()
  if (round === 5) process.stdout.write('writing\n')
}
