import { once } from 'node:events'
import { join } from 'node:path'
import { expect } from '@jest/globals'
import type { RunningServer } from '../support/http-server.js'
import { PostgresServer } from '../support/postgres-server.js'
import { freePort, RedisServer } from '../support/redis-server.js'
import { startCompose } from './compose-example.js'
import { sendCurl } from './curl.js'
import {
  copyExample,
  type Example,
  followReadme,
  isRefusal,
  readExample,
  readReadme,
  startCommand,
  startExample,
  stopCommand,
} from './example.js'
import { isListening, until } from './program.js'
import { useRegistry } from './registry.js'
import { useSettings } from './settings-examples.js'

/** Seconds from the copy of a folder until its packages were installed, and until the first answers of either kind. */
export type Figures = Readonly<Record<'installed' | 'refused' | 'granted', number>>

/** A trial under way. */
interface Trial {
  readonly into: string
  readonly example: Example
  /** Notes when something came first. */
  readonly see: (kind: keyof Figures) => void
  readonly onEnd: (end: () => Promise<unknown>) => void
}

const folderOf = ({ into, example }: Trial): string => join(into, example.name)

/** Follows the README, and notes when the first answers of either kind came. */
async function follow(trial: Trial, how: Parameters<typeof followReadme>[1] = {}): Promise<void> {
  const answered = (answer: string) => {
    for (const line of answer.trim().split('\n')) trial.see(isRefusal(line) ? 'refused' : 'granted')
  }
  expect(await followReadme(folderOf(trial), { ...how, answered })).toEqual([])
}

/** Installs with npm alone, as the first command says. The registry is in this process, which must not wait in a call. */
async function install(trial: Trial, words = 'npm install'): Promise<void> {
  const { child, printed } = startCommand(folderOf(trial), words, 0)
  await once(child, 'close')
  if (child.exitCode !== 0) throw new Error(printed())
}

/** Starts it by its own command, and sends what its README sends. */
async function tryByReadme(trial: Trial): Promise<void> {
  const { into, example } = trial
  const running = await startExample(into, example)
  trial.onEnd(() => stopCommand(running))
  await follow(trial)
  await useSettings(example.name, running, readReadme(folderOf(trial)).exported)
  // One of them has no other way in than its link.
  trial.see('granted')
}

/** The console has a page in the place of a README, and prints what to try. */
async function tryConsole(trial: Trial): Promise<void> {
  const port = await freePort()
  const running = startCommand(folderOf(trial), 'npm start', port, { PORT: String(port) })
  trial.onEnd(() => stopCommand(running))
  await until(running, () => /in another browser http/.test(running.printed()))
  expect((await fetch(`${running.url}/console`)).status).toBe(401)
  trial.see('refused')
  const lines = Array.from(running.printed().matchAll(/^curl .*$/gm), ([line]) => line)
  expect(lines).toHaveLength(2)
  for (const line of lines) expect((await sendCurl(line, (url) => url)).status).toBe(200)
  trial.see('granted')
}

/** Does what Docker would do with its containers: the image of the app is installed by npm, too. */
async function tryCompose(trial: Trial): Promise<void> {
  const [redis, postgres] = await Promise.all([RedisServer.start('--appendonly', 'yes'), PostgresServer.start()])
  trial.onEnd(() => Promise.all([redis.stop(), postgres.stop()]))
  // For this test, which reads compose.yaml.
  await install(trial, 'npm install --no-save yaml@2')
  const port = trial.example.ports.get('3000') as number
  const { running, env } = startCompose(folderOf(trial), port, { redis: redis.url, postgres: postgres.url })
  trial.onEnd(() => stopCommand(running))
  await until(running, () => isListening(running))
  await follow(trial, { env, here: (command) => command.replace(/^docker compose exec app /, '') })
}

const OTHERWISE: Readonly<Record<string, (trial: Trial) => Promise<void>>> = {
  console: tryConsole,
  compose: tryCompose,
}

/** Copies an example, as it stands but for its ports, installs it from a registry, and does what its README says. */
export async function tryExample(name: string, into: string, registry: RunningServer): Promise<Figures> {
  const example = await readExample(name)
  copyExample(example, into)
  useRegistry(join(into, name), registry)
  const started = performance.now()
  const figures: Partial<Record<keyof Figures, number>> = {}
  const ends: (() => Promise<unknown>)[] = []
  const trial: Trial = {
    into,
    example,
    see(kind) {
      figures[kind] ??= (performance.now() - started) / 1000
    },
    onEnd: (end) => void ends.unshift(end),
  }
  try {
    await install(trial)
    trial.see('installed')
    await (OTHERWISE[name] ?? tryByReadme)(trial)
  } finally {
    for (const end of ends) await end()
  }
  expect(Object.keys(figures).sort()).toEqual(['granted', 'installed', 'refused'])
  return figures as Figures
}
