import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Driver, PROMPT } from '../driver.js'

export const gemini: Driver = {
  name: 'Gemini CLI',
  packages: ['@google/gemini-cli'],
  client: 'gemini',
  file: { base: 'project', path: '.gemini/.env' },
  start({ kit, project, home, model }) {
    mkdirSync(join(home, '.gemini'), { recursive: true })
    const settings = {
      security: { auth: { selectedType: 'gemini-api-key' } },
      general: { enableAutoUpdate: false },
      privacy: { usageStatisticsEnabled: false },
    }
    writeFileSync(join(home, '.gemini/settings.json'), JSON.stringify(settings))
    // A project's servers are for a folder that its user trusts.
    writeFileSync(join(home, '.gemini/trustedFolders.json'), JSON.stringify({ [project]: 'TRUST_FOLDER' }))
    return {
      command: join(kit, 'node_modules/.bin/gemini'),
      args: ['-p', PROMPT, '--yolo', '--model', 'gemini-2.5-pro'],
      env: { GEMINI_API_KEY: 'none', GOOGLE_GEMINI_BASE_URL: model, GEMINI_TELEMETRY_ENABLED: 'false' },
    }
  },
}

export const qwen: Driver = {
  name: 'Qwen Code',
  packages: ['@qwen-code/qwen-code'],
  client: 'qwen',
  file: { base: 'project', path: '.qwen/.env' },
  start({ kit, home, model }) {
    mkdirSync(join(home, '.qwen'), { recursive: true })
    // All tools are shown to the model at once.
    writeFileSync(join(home, '.qwen/settings.json'), JSON.stringify({ tools: { toolSearch: { enabled: false } } }))
    return {
      command: join(kit, 'node_modules/.bin/qwen'),
      args: ['-p', PROMPT, '--yolo', '--auth-type', 'openai'],
      env: {
        OPENAI_API_KEY: 'none',
        OPENAI_BASE_URL: `${model}/v1`,
        OPENAI_MODEL: 'scripted',
        QWEN_TELEMETRY_ENABLED: 'false',
      },
    }
  },
}
