// The contracts under Vitest. Started by runners.test.ts.
import { memoryReplay } from '@countersign/core'
import { memorySecrets } from '@countersign/hmac'
import { memoryCredentials } from '@countersign/mcp-credential'
import { memorySessions } from '@countersign/settings-session'
import {
  credentialStoreContract,
  gateContract,
  replayStoreContract,
  secretStoreContract,
  settingsStoreContract,
} from '@countersign/testing'
import { describe, test } from 'vitest'
import { keyContract } from '../key-gate.js'

const suites = {
  gate: gateContract(keyContract),
  replay: replayStoreContract(() => memoryReplay()),
  secrets: secretStoreContract((audit) => memorySecrets([], audit && { audit })),
  credentials: credentialStoreContract(() => memoryCredentials()),
  settings: settingsStoreContract(() => memorySessions()),
}
for (const [name, cases] of Object.entries(suites)) {
  describe(name, () => {
    for (const { title, run } of cases) test(title, run)
  })
}
describe('a store that forgets', () => {
  // Must fail: what passes whatever the store does would prove nothing.
  for (const { title, run } of replayStoreContract(() => ({ claim: () => 'fresh' })).slice(0, 1)) test(title, run)
})
