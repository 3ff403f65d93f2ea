import { createHook } from 'node:async_hooks'
import { UnavailableError } from '@countersign/core'
import { requireOAuthBearer } from '@countersign/oauth-bearer'
import { afterEach, describe, expect, test } from '@jest/globals'
import type { RequestHandler } from 'express'
import { recordedAudit } from '../../../test/support/audit-recorder.js'
import { type Harness, type HarnessOptions, oauthApp } from './harness.js'
import { addIntrospection } from './introspector.js'

let app: Harness
afterEach(() => app.stop())
const start = async (options: HarnessOptions = {}) => {
  app = await oauthApp(options)
}
const outcome = async (token: string, path = '/') => `${(await app.get(token, path)).status} ${app.last()}`

describe('the cache of verified tokens', () => {
  test('[oauth-cache] what a handler does to its principal does not reach the next request', async () => {
    const meddled: unknown[] = []
    await start({
      routes: (routes, gate) => {
        routes.get('/meddle', gate, (request, response) => {
          const principal = request.principal as unknown as Record<string, unknown>
          const claims = principal.claims as Record<string, unknown>
          const attempts = [
            () => {
              principal.subject = 'admin'
            },
            () => {
              claims.sub = 'admin'
            },
            () => {
              ;(claims.deep as { list: unknown[] }).list.push('admin')
            },
            () => {
              ;(principal.scopes as string[]).push('admin')
            },
            () => {
              Object.setPrototypeOf(claims, { admin: true })
            },
          ]
          for (const attempt of attempts) {
            try {
              attempt()
              meddled.push(attempt.toString())
            } catch {
              // A frozen object throws in strict mode.
            }
          }
          response.json({})
        })
      },
    })
    const token = await app.token({ claims: { deep: { list: ['user'] } } })
    await app.get(token, '/meddle')
    const { json } = await app.get(token)
    expect(meddled).toEqual([])
    expect(json.principal).toMatchObject({
      subject: 'u1',
      scopes: ['files:read'],
      claims: { deep: { list: ['user'] } },
    })
  })

  test('[oauth-cache] each request has a principal of its own, which all its gates show', async () => {
    const seen: unknown[] = []
    await start({
      isRevoked: () => false,
      routes: (routes, gate) => {
        const keep: RequestHandler = (request, _response, next) => {
          seen.push(request.principal)
          next()
        }
        routes.get('/kept', gate, keep, gate.scopes('files:read'), keep, (_request, response) => void response.json({}))
      },
    })
    const token = await app.token()
    // At the same time, and then from the cache.
    await Promise.all([app.get(token, '/kept'), app.get(token, '/kept')])
    await app.get(token, '/kept')
    expect(seen).toHaveLength(6)
    expect(new Set(seen).size).toBe(3)
    for (const principal of seen) expect([principal, Object.isFrozen(principal)]).toEqual([seen[0], true])
  })

  test('[oauth-cache] so has each of several requests that wait for one answer of an endpoint', async () => {
    const seen: unknown[] = []
    let arrived = 0
    const answers: (() => void)[] = []
    app = await oauthApp((issuer) => {
      const said = { active: true, aud: 'https://mcp.example.com/mcp', sub: 'u1', exp: 9_999_999_999 }
      addIntrospection(issuer).tokens.set('opaque', (response) => {
        answers.push(() => response.setHeader('content-type', 'application/json').end(JSON.stringify(said)))
      })
      return {
        issuer: { issuer: issuer.url, introspection: { clientId: 'c', clientSecret: 's' } },
        routes: (routes, gate) => {
          const arrive: RequestHandler = (_request, _response, next) => {
            next()
            arrived += 1
          }
          routes.get('/waiting', arrive, gate, (request, response) => {
            seen.push(request.principal)
            response.json({})
          })
        },
      }
    })
    const waiting = [app.get('opaque', '/waiting'), app.get('opaque', '/waiting')]
    while (arrived < 2 || answers.length === 0) await new Promise((resolve) => setTimeout(resolve, 5))
    expect(answers).toHaveLength(1)
    answers[0]?.()
    await Promise.all(waiting)
    expect(new Set(seen).size).toBe(2)
    expect(seen[1]).toEqual(seen[0])
  })

  test('[oauth-cache] a token that one gate granted is refused by a gate with another audience', async () => {
    app = await oauthApp(({ url }, clock) => ({
      routes: (routes) => {
        const other = { resource: 'https://other.example.com', issuer: url, clock, audit: recordedAudit().audit }
        routes.get('/other', requireOAuthBearer(other), (_request, response) => void response.json({}))
      },
    }))
    const token = await app.token()
    const theirs = await app.token({ claims: { aud: 'https://other.example.com' } })
    for (let round = 0; round < 2; round += 1) {
      expect([(await app.get(token)).status, (await app.get(token, '/other')).status]).toEqual([200, 401])
      expect([(await app.get(theirs)).status, (await app.get(theirs, '/other')).status]).toEqual([401, 200])
    }
  })

  test('[oauth-cache] a token that is revoked after it was cached is refused on its next request', async () => {
    const revoked = new Set<unknown>()
    await start({ isRevoked: ({ claims }) => revoked.has(claims.jti) })
    const token = await app.token({ claims: { jti: 'j1' } })
    expect(await outcome(token)).toBe('200 granted')
    expect(await outcome(token)).toBe('200 granted')
    revoked.add('j1')
    expect(await outcome(token)).toBe('401 revoked')
    expect(app.events.at(-1)?.principal?.id).toBe(`${app.issuer.url}|u1`)
    revoked.clear()
    expect(await outcome(token)).toBe('200 granted')
  })

  test.each([
    ['a promise of true', async () => true, '401 revoked'],
    ['a promise of false', async () => false, '200 granted'],
    ['no boolean', () => undefined as unknown as boolean, '401 revoked'],
    [
      'that it cannot know',
      () => {
        throw new UnavailableError('verifier', 'down')
      },
      '503 verifier',
    ],
    ['a rejection that it cannot know', () => Promise.reject(new UnavailableError('verifier', 'down')), '503 verifier'],
    ['an error', () => Promise.reject(new Error('down')), '503 verifier'],
    ['a bug', () => Promise.reject(new TypeError('bug')), '500 internal_error'],
  ])('isRevoked answers %s', async (_name, isRevoked: () => boolean | Promise<boolean>, expected) => {
    await start({ isRevoked })
    const token = await app.token()
    expect(await outcome(token)).toBe(expected)
    expect(await outcome(token)).toBe(expected)
  })

  test('isRevoked does not answer: 503 after 2 s, the request does not hang', async () => {
    await start({ isRevoked: () => new Promise(() => undefined) })
    expect(await outcome(await app.token())).toBe('503 verifier')
  })

  test('an introspected token is cached for 30 s, a refused one never', async () => {
    app = await oauthApp((issuer) => {
      const endpoint = addIntrospection(issuer)
      endpoint.tokens.set('opaque', {
        active: true,
        aud: 'https://mcp.example.com/mcp',
        sub: 'u1',
        exp: 9_999_999_999,
      })
      return { issuer: { issuer: issuer.url, introspection: { clientId: 'c', clientSecret: 's' } } }
    })
    const asked = () => app.issuer.requests.filter((path) => path === '/introspect').length
    for (let round = 0; round < 5; round += 1) expect(await outcome('opaque')).toBe('200 granted')
    expect(asked()).toBe(1)
    app.clock.advance(30_000)
    expect(await outcome('opaque')).toBe('200 granted')
    expect(asked()).toBe(2)
  })

  test('holds at most maxEntries, and can be turned off', async () => {
    /** How many tokens are verified, and not found in the cache, when so many come in turn, three times. */
    const verifications = async (cache: HarnessOptions['cache'], count: number) => {
      let verified = 0
      const checkAudience = () => {
        verified += 1
        return true
      }
      app = await oauthApp((issuer) => ({ cache, issuer: { issuer: issuer.url, checkAudience } }))
      const tokens = await Promise.all(Array.from({ length: count }, () => app.token()))
      for (const token of [...tokens, ...tokens, ...tokens]) expect(await outcome(token)).toBe('200 granted')
      await app.stop()
      return verified
    }
    expect(await verifications({ maxEntries: 2 }, 2)).toBe(2)
    // The least recently used one goes, and that is the next that comes.
    expect(await verifications({ maxEntries: 2 }, 3)).toBe(9)
    expect(await verifications(undefined, 3)).toBe(3)
    expect(await verifications(false, 1)).toBe(3)
  })
})

describe('the hot path', () => {
  test('[oauth-hot-path] a cached decision makes no promise and continues in the same tick', async () => {
    const seen: { promises: number; isSameTick: boolean }[] = []
    let promises = 0
    const hook = createHook({
      init: (_id, type) => {
        if (type === 'PROMISE') promises += 1
      },
    })
    await start({
      routes: (routes, gate) => {
        const write = gate.scopes('files:read')
        const measured: RequestHandler = (request, response, next) => {
          let isSameTick = false
          promises = 0
          hook.enable()
          gate(request, response, () => {
            write(request, response, () => {
              isSameTick = true
            })
          })
          hook.disable()
          seen.push({ promises, isSameTick })
          if (isSameTick) next()
          else response.on('finish', () => undefined).end()
        }
        routes.get('/hot', measured, (_request, response) => void response.json({}))
      },
    })
    const token = await app.token()
    expect((await app.get(token)).status).toBe(200)
    await app.get(token, '/hot')
    await app.get(token, '/hot')
    expect(seen).toEqual([
      { promises: 0, isSameTick: true },
      { promises: 0, isSameTick: true },
    ])
    // So are refusals that need nobody's word.
    expect((await app.get(undefined, '/hot')).status).toBe(401)
    expect(seen.at(-1)).toEqual({ promises: 0, isSameTick: false })
  })

  test('[oauth-hot-path] a second gate on a request reads no header, and no gate reads the body', async () => {
    const reads: string[] = []
    await start({
      routes: (routes, gate) => {
        const watch: RequestHandler = (request, _response, next) => {
          for (const name of ['headers', 'headersDistinct', 'rawHeaders', 'body'] as const) {
            const value = request[name]
            Object.defineProperty(request, name, {
              get: () => {
                reads.push(name)
                return value
              },
              configurable: true,
            })
          }
          next()
        }
        const mark: RequestHandler = (_request, _response, next) => {
          reads.push('|')
          next()
        }
        const { scopes } = gate
        routes.post('/twice', watch, gate, mark, scopes('files:read'), (request, response) => {
          response.json({ isUnread: !request.readableDidRead })
        })
      },
    })
    const token = await app.token()
    const response = await fetch(`${app.url}/twice`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}` },
      body: 'x'.repeat(10_000),
    })
    expect(await response.json()).toEqual({ isUnread: true })
    const second = reads.slice(reads.indexOf('|') + 1)
    expect(second).toEqual([])
    // That no middleware has rewritten the field; then the credential, and the user agent of the audit event.
    const isRewritten = ['rawHeaders', 'headers']
    expect(reads.slice(0, reads.indexOf('|'))).toEqual([...isRewritten, 'body', 'rawHeaders', 'rawHeaders'])
  })
})
