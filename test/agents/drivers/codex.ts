import { join } from 'node:path'
import { type Driver, PROMPT } from '../driver.js'

export const codex: Driver = {
  name: 'Codex',
  packages: ['@openai/codex'],
  client: 'codex',
  file: { base: 'home', path: 'credential.json' },
  start({ kit, home, model }) {
    const provider = `{name="scripted",base_url="${model}/v1",wire_api="responses",supports_websockets=false}`
    const settings = [
      `model_providers.scripted=${provider}`,
      'model_provider="scripted"',
      'check_for_update_on_startup=false',
    ]
    return {
      command: join(kit, 'node_modules/.bin/codex'),
      args: [
        ...['exec', '--skip-git-repo-check', '--dangerously-bypass-approvals-and-sandbox', '--model', 'gpt-5'],
        ...settings.flatMap((setting) => ['-c', setting]),
        PROMPT,
      ],
      env: { CODEX_HOME: join(home, '.codex') },
    }
  },
}
