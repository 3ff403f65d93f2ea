import { expect } from '@jest/globals'
import type { Express } from 'express'
import { type RunningServer, serve } from '../../../test/support/http-server.js'
import { countersign, type RunSettings } from './command.js'

interface Report {
  readonly ok: boolean
  readonly checks: readonly { readonly id: string; readonly status: string; readonly detail: string }[]
}

/** Serves an app that must know its own address. */
export async function serveApp(create: (baseUrl: string) => Express): Promise<RunningServer> {
  let app: Express | undefined
  const running = await serve((request, response) => app?.(request, response))
  app = create(running.url)
  return running
}

/** Runs the command with `--json`: its checks, and the ids of those with each status. */
export async function smoke(words: readonly string[], settings?: RunSettings) {
  const result = await countersign(['oauth', 'smoke', ...words, '--json'], settings)
  const { ok, checks } = JSON.parse(result.stdout) as Report
  expect(result.exitCode).toBe(ok ? 0 : 1)
  const withStatus = (status: string) => checks.filter((check) => check.status === status).map(({ id }) => id)
  return { ...result, checks, failed: withStatus('fail'), warned: withStatus('warn'), passed: withStatus('pass') }
}
