// Writes audit events as fast as the file takes them, until it is killed, a write fails or there are as many as asked for.
// argv: the file, how many.
import { createAudit } from '@countersign/audit'
import { jsonl } from '@countersign/audit/jsonl'

const [, , path = '', most = 'Infinity'] = process.argv
const audit = createAudit()
audit.subscribe(jsonl(path), { maxQueue: 100_000 })
console.log('0')
for (let count = 0; count < Number(most); count += 1) {
  audit.emit({ type: 'access.granted', gate: 'hmac', reason: `r${count}`, attributes: { padding: 'x'.repeat(200) } })
  if (count % 50 !== 0) continue
  await audit.flush()
  if (audit.stats().sinks.some(({ failed }) => failed > 0)) process.exit(1)
}
await audit.close()
