import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { startCommand } from './example.js'
import type { Running } from './program.js'
import { run } from './tarballs.js'

interface Service {
  readonly image?: string
  readonly build?: string
  readonly command?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  readonly env_file?: string
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>
  readonly healthcheck?: { readonly test: readonly string[] }
  readonly volumes?: readonly string[]
}
interface Compose {
  readonly services: Readonly<Record<string, Service>>
  readonly volumes: Readonly<Record<string, unknown>>
}

/** What compose.yaml and the Dockerfile of an installed example say. */
export function readCompose(folder: string) {
  const yaml = createRequire(join(folder, 'package.json'))('yaml') as {
    parse(text: string, options: { merge: boolean }): Compose
  }
  const { services, volumes } = yaml.parse(readFileSync(join(folder, 'compose.yaml'), 'utf8'), { merge: true })
  const dockerfile = readFileSync(join(folder, 'Dockerfile'), 'utf8')
  const copied = Array.from(dockerfile.matchAll(/^COPY (.+) \.\/$/gm), ([, files = '']) => files.split(' ')).flat()
  const [, words = '[]'] = /^CMD (.+)$/m.exec(dockerfile) ?? []
  return { services, volumes, copied, command: (JSON.parse(words) as string[]).join(' ') }
}

/** Does with this Redis and PostgreSQL, without Docker, what `docker compose up` does with the app's containers. */
export function startCompose(folder: string, port: number, stores: { redis: string; postgres: string }) {
  const { services, copied, command } = readCompose(folder)
  const missing = copied.filter((file) => !existsSync(join(folder, file)))
  if (missing.length > 0) throw new Error(`the Dockerfile copies what is not there: ${missing.join(', ')}`)
  const environmentOf = ({ env_file: file = '', environment = {} }: Service): Record<string, string> => {
    const lines = readFileSync(join(folder, file), 'utf8').split('\n')
    const given = lines.flatMap((line) => {
      const [, name = '', value = ''] = /^(\w+)=(.*)$/.exec(line) ?? []
      return name === '' ? [] : [[name, value] as const]
    })
    const here = Object.entries(environment).map(
      ([name, value]) => [name, value.startsWith('redis:') ? stores.redis : stores.postgres] as const,
    )
    return Object.fromEntries([...given, ...here])
  }
  const { app = {}, migrate = {} } = services
  const [program = '', ...words] = migrate.command ?? []
  const migrated = run(program, words, folder, environmentOf(migrate))
  const env = environmentOf(app)
  return { env, migrated, running: startCommand(folder, `exec ${command}`, port, env) satisfies Running }
}
