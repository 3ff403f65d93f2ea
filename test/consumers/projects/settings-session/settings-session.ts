import assert from 'node:assert/strict'
import { createAudit } from '@countersign/core'
import {
  createSettingsSessions,
  type Principal,
  principalOf,
  requireSettingsSession,
} from '@countersign/settings-session'
import { redisSessions } from '@countersign/settings-session/redis'
import express from 'express'
import type { Redis } from 'ioredis'
import { openLink } from './open-link.mjs'
import { serve } from './serve.mjs'

/** The store of more than one process fits where the memory store fits. */
export const onRedis = (redis: Redis, baseUrl: string) =>
  createSettingsSessions({ baseUrl, store: redisSessions(redis) })

export async function exercise(): Promise<void> {
  const audit = createAudit()
  const app = express()
  const { base, close } = await serve(app)
  const settings = createSettingsSessions({ baseUrl: `${base}/settings`, audit })
  app.use('/settings', settings.routes())
  app.use('/settings', requireSettingsSession({ settings, audit }), (request, response) => {
    const user: string = principalOf(request, 'settings-session').userId
    const principal: Principal | undefined = request.principal
    response.json({ user, kind: principal?.kind })
  })
  try {
    assert.equal((await fetch(`${base}/settings`)).status, 401)
    const granted = await fetch(`${base}/settings`, { headers: { cookie: await openLink(settings) } })
    assert.deepEqual([granted.status, await granted.json()], [200, { user: 'u1', kind: 'settings-session' }])
  } finally {
    await close()
  }
}
