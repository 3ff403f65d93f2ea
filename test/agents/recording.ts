import type { Results } from './results.js'
import { isOAuth } from './scenarios.js'
import type { Asked } from './world.js'

/** What one client asked when it looked for OAuth. */
export interface Recorded {
  readonly client: string
  readonly version: string
  readonly requests: readonly Pick<Asked, 'method' | 'path' | 'accept' | 'type' | 'body'>[]
}

/** Each request of each client once: for the test that asks the guard the same. */
export function recordingOf(results: Results): readonly Recorded[] {
  return Object.entries(results).flatMap(([client, { version, runs }]) => {
    const asked = Object.values(runs)
      .flatMap((run) => run.asked)
      .filter(isOAuth)
      .map(({ method, path, accept, type, body }) => ({ method, path, accept, type, body }))
    const different = new Map(asked.map((request) => [`${request.method} ${request.path}`, request]))
    return different.size === 0 ? [] : [{ client, version, requests: [...different.values()] }]
  })
}
