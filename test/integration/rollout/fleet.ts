import { fileURLToPath } from 'node:url'
import { type ChildApp, startChildApp } from '../../support/child-app.js'

const FILE = fileURLToPath(new URL('process.ts', import.meta.url))

/** Two processes behind one address, replaced one by one as a deployment does, while requests come. */
export class Fleet {
  readonly #apps: ChildApp[] = []
  readonly #running = new Map<ChildApp, number>()
  #turn = 0

  /** Starts two processes with an environment, and lets each take the place of an old one when it is ready. */
  async deploy(env: Record<string, string>, isReady: (url: string) => Promise<boolean>): Promise<void> {
    const fresh = await Promise.all([startChildApp(FILE, env), startChildApp(FILE, env)])
    for (const { url } of fresh) while (!(await isReady(url)));
    for (const app of fresh) {
      this.#apps.push(app)
      const old = this.#apps.length > 2 ? this.#apps.shift() : undefined
      if (old !== undefined) await this.#drain(old)
    }
  }

  async #drain(app: ChildApp): Promise<void> {
    while ((this.#running.get(app) ?? 0) > 0) await new Promise((resolve) => setImmediate(resolve))
    await app.stop()
  }

  get urls(): readonly string[] {
    return this.#apps.map(({ url }) => url)
  }

  /** One request to the next process; the status, or what failed. */
  async send(target: string, headers: Record<string, string>): Promise<number | string> {
    this.#turn += 1
    const app = this.#apps[this.#turn % this.#apps.length] as ChildApp
    this.#running.set(app, (this.#running.get(app) ?? 0) + 1)
    try {
      return await post(`${app.url}${target}`, headers)
    } catch (error) {
      return String((error as Error).cause ?? error)
    } finally {
      this.#running.set(app, (this.#running.get(app) ?? 1) - 1)
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.#apps.map((app) => app.stop()))
  }
}

/** Posts `{}`; the status. */
export async function post(url: string, headers: Record<string, string>): Promise<number> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: '{}',
  })
  await response.arrayBuffer()
  return response.status
}
