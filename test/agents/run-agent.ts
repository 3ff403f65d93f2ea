import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Driver } from './driver.js'
import { byCommand, byLibrary } from './hand-over.js'
import type { Action, Conversation } from './model/protocol.js'
import type { ScriptedModel } from './model/server.js'
import type { Run, Scenario, Stage } from './scenarios.js'
import { makeWorld } from './world.js'

const TOOL = /preview_open$/
const DEADLINE_MS = 150_000

/** What all runs have in common. */
export interface RunSettings {
  /** Where the agents' packages are installed. */
  readonly kit: string
  readonly model: ScriptedModel
  /** Takes configuration and credential from the command, where the agent reads a file. */
  readonly byCommand: boolean
}

/** Runs one agent through one scenario, in a world of its own. */
export async function runAgent(driver: Driver, scenario: Scenario, settings: RunSettings): Promise<Run> {
  const { kit, model } = settings
  const env = { DEAD_AS: scenario.deadAs ?? 'http' }
  const world = await makeWorld(kit, { idleSeconds: scenario.idleSeconds ?? 1800, settings: env })
  try {
    const project = join(world.folder, 'project')
    const home = join(world.folder, 'home')
    for (const folder of [project, home]) mkdirSync(folder)
    const bases = { project, home }
    const file = driver.file && join(bases[driver.file.base], driver.file.path)
    const handed = await (settings.byCommand ? byCommand : byLibrary)(world, driver.client, file)
    const { config } = handed
    if (config.path !== undefined) write(join(bases[config.folder ?? 'project'], config.path), config.text)

    let mark = 0
    const stage: Stage = { world, file, ...handed }
    const script = scripted(scenario, async (index) => {
      await scenario.before[index]?.(stage)
      if (index === scenario.act) mark = Date.now()
    })
    model.script = script.next
    await scenario.prepare?.(stage)

    const command = driver.start({ kit, project, home, model: model.url, config })
    const child = spawn(command.command, command.args, {
      cwd: project,
      env: { PATH: process.env.PATH, LANG: 'C.UTF-8', HOME: home, ...config.env, ...command.env },
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
    })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += String(chunk)))
    child.stdin.on('error', () => undefined)
    child.stdin.end(command.stdin ?? '')
    let ended: Run['ended'] = 'by itself'
    const deadline = setTimeout(() => {
      ended = 'never'
      process.kill(-(child.pid as number), 'SIGKILL')
    }, DEADLINE_MS)
    const closed = once(child, 'close')
    await Promise.all([closed, Promise.race([scenario.meanwhile?.(stage), closed])])
    clearTimeout(deadline)
    return {
      results: script.results(),
      after: world.asked.filter(({ at }) => at >= mark),
      asked: [...world.asked],
      ended,
      output,
    }
  } finally {
    await world.close()
  }
}

function write(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
}

/** The model's script: a call for each act, then an end. */
function scripted({ before }: Scenario, act: (index: number) => Promise<void>) {
  let results: readonly string[] = []
  const acts = new Map<number, Promise<void>>()
  async function next(conversation: Conversation): Promise<Action> {
    const tool = conversation.tools.find(({ name }) => TOOL.test(name))
    // A title, a summary, or an agent that was not given the tool.
    if (tool === undefined) return { say: `I can call only ${conversation.tools.map(({ name }) => name).join(', ')}.` }
    if (conversation.results.length >= results.length) results = conversation.results
    const step = conversation.results.length
    if (step >= before.length) return { say: 'Done.' }
    // An agent may ask again for an answer that it has not got.
    const done = acts.get(step) ?? act(step)
    acts.set(step, done)
    await done
    return { call: tool }
  }
  return { next, results: () => results }
}
