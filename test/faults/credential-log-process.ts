// Issues, rotates and ends credentials as fast as it can, until it is killed. Each step is in the report before it begins,
// and again when it was acknowledged.
import { appendFileSync } from 'node:fs'
import { createAudit } from '@countersign/core'
import { createMcpCredentials, type IssuedCredential, memoryCredentials } from '@countersign/mcp-credential'
import type { Step } from './credential-log.js'

const [, , file = '', report = '', round = '', fsync = ''] = process.argv
const store = memoryCredentials({ file, fsync: fsync === 'always' ? 'always' : 'never', maxCredentials: 1_000_000 })
const credentials = createMcpCredentials({ store, audit: createAudit() })
const write = (step: Step) => appendFileSync(report, `${JSON.stringify(step)}\n`)

const pick = (below: number) => Math.floor(Math.random() * below)
const held: IssuedCredential[] = []
// So long that the log is soon to be written again.
const capabilities = Array.from({ length: 20 }, (_, index) => `${index}-${'x'.repeat(50)}`)
process.send?.({ ready: true })

for (let number = 0; ; number += 1) {
  const thread = `${round}-${pick(300)}`
  const provider = `${round}-p${pick(20)}`
  const dice = pick(100)
  if (dice < 45) {
    const onExisting = (['supersede', 'supersede', 'keep', 'carry'] as const)[pick(4)] ?? 'keep'
    write({ begins: { do: 'issue', thread, provider: `${round}-p`, onExisting } })
    const issued = await credentials.issue({
      threadId: thread,
      providerInstanceId: `${round}-p`,
      onExisting,
      capabilities,
    })
    write({ done: { id: issued.credentialId, token: issued.token } })
    held.push(issued)
  } else if (dice < 60) {
    write({ begins: { do: 'issue', thread: `${thread}-own`, provider, onExisting: 'keep' } })
    const issued = await credentials.issue({
      threadId: `${thread}-own`,
      providerInstanceId: provider,
      onExisting: 'keep',
    })
    write({ done: { id: issued.credentialId, token: issued.token } })
  } else if (dice < 75 && held.length > 0) {
    const { credentialId: id } = held[pick(held.length)] as IssuedCredential
    write({ begins: { do: 'revoke', id } })
    await credentials.revoke(id)
    write({ done: {} })
  } else if (dice < 80) {
    write({ begins: { do: 'revokeThread', thread } })
    await credentials.revokeThread(thread)
    write({ done: {} })
  } else if (dice < 82) {
    write({ begins: { do: 'revokeProvider', provider } })
    await credentials.revokeProvider(provider)
    write({ done: {} })
  } else {
    for (let uses = 0; uses < 5; uses += 1) await credentials.resolve(held[pick(held.length)]?.token ?? '')
    await credentials.touch(thread)
  }
  if (number % 50 === 0) store.tick()
  // The timers and the channel get their turn.
  if (number % 20 === 0) await new Promise(setImmediate)
}
