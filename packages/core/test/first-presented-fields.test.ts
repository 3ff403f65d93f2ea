import { firstPresented, type Gate } from '@countersign/core'
import { composeGates, denied, fieldLines, granted } from '@countersign/core/gate-kit'
import { beforeEach, describe, expect, test } from '@jest/globals'
import express, { type Request, type RequestHandler } from 'express'
import request from 'supertest'
import { recordAudit } from '../../../test/support/audit-recorder.js'
import { badgeGate, type KeyDefinition, keyGate } from './harness.js'

let recorded: ReturnType<typeof recordAudit>
beforeEach(() => {
  recorded = recordAudit()
})

const first = (incoming: Request, ...names: string[]) => names.flatMap((name) => fieldLines(incoming, name))[0]

/** A gate that grants what is presented in one of these fields. */
function gateOn(name: string, reads: readonly string[], changes: Partial<KeyDefinition> = {}): Gate {
  return keyGate(
    { audit: recorded.audit },
    {
      name,
      middleware: `require-${name}`,
      reads,
      read: (incoming) => first(incoming, ...reads),
      verify: () => granted({ kind: 'key', id: name }),
      ...changes,
    },
  )
}

const badge = () => badgeGate({ audit: recorded.audit })

/** The status, and the gate that decided. */
async function decide(headers: Record<string, string>, ...before: RequestHandler[]) {
  const app = express()
  for (const handler of before) app.use(handler)
  app.get('/', (_request, response) => void response.end('in'))
  const { status } = await request(app).get('/').set(headers)
  return [status, recorded.events.at(-1)?.gate]
}

describe('a gate that reads a header field and cookies', () => {
  const both = () => gateOn('both', ['x-key', 'cookie'])

  test('gives way to a header credential with its cookie, and not with its header', async () => {
    for (const gate of [firstPresented(both(), badge()), firstPresented(badge(), both())]) {
      expect(await decide({ cookie: 'a=1', 'x-badge': '1' }, gate)).toEqual([200, 'badge'])
      expect(await decide({ 'x-key': 'a', 'x-badge': '1' }, gate)).toEqual([400, 'first-presented'])
      expect(await decide({ 'x-key': 'a', cookie: 'a=1', 'x-badge': '1' }, gate)).toEqual([400, 'first-presented'])
      expect(await decide({ cookie: 'a=1' }, gate)).toEqual([200, 'both'])
    }
  })
})

describe('a gate that reads a second header field beside the one it shares', () => {
  const own = () =>
    gateOn('own', ['authorization'], {
      recognises: 'own',
      read: (incoming) => first(incoming, 'authorization')?.match(/^own .*/)?.[0],
    })
  const proven = () => gateOn('proven', ['authorization', 'x-proof'])

  test('leaves what is in the shared field to the gate whose it is', async () => {
    expect(await decide({ authorization: 'own a' }, firstPresented(own(), proven()))).toEqual([200, 'own'])
    expect(await decide({ authorization: 'other a' }, firstPresented(own(), proven()))).toEqual([200, 'proven'])
  })

  test('makes two credentials of it where the second field came, too', async () => {
    const composed = firstPresented(own(), proven())
    expect(await decide({ authorization: 'own a', 'x-proof': '1' }, composed)).toEqual([400, 'first-presented'])
    expect(await decide({ authorization: 'other a', 'x-proof': '1' }, composed)).toEqual([200, 'proven'])
  })
})

test('a credential that an earlier gate took off the request is one still, beside another', async () => {
  const taken = gateOn('taken', ['x-key'], {
    decided: (_verdict, _credential, incoming) => {
      const at = incoming.rawHeaders.indexOf('x-key')
      if (at !== -1) incoming.rawHeaders.splice(at, 2)
      delete incoming.headers['x-key']
    },
  })
  expect(await decide({ 'x-key': 'a' }, taken, firstPresented(badge(), taken))).toEqual([200, 'taken'])
  expect(await decide({ 'x-key': 'a', 'x-badge': '1' }, taken, firstPresented(badge(), taken))).toEqual([
    400,
    'first-presented',
  ])
})

describe('composed gates that are optional', () => {
  const asked: string[] = []
  const demanding = (name: string, answer: 'no' | 'later no' | undefined) =>
    gateOn(name, [`x-${name}`], {
      anonymous: () => {
        asked.push(name)
        if (answer === undefined) return undefined
        return answer === 'no' ? denied('too_little') : Promise.resolve(denied('too_little'))
      },
    })
  beforeEach(() => {
    asked.length = 0
  })

  test('let a caller without a credential through when none of them objects, in their order', async () => {
    const composed = firstPresented(demanding('one', undefined), badge(), demanding('two', undefined)).optional()
    expect(await decide({}, composed)).toEqual([200, undefined])
    expect(asked).toEqual(['one', 'two'])
  })

  test.each(['no', 'later no'] as const)('do not when one of them does, wherever it stands: %s', async (answer) => {
    const no = demanding('no', answer)
    for (const composed of [
      firstPresented(no, badge()),
      firstPresented(badge(), no),
      firstPresented(badge(), firstPresented(no)),
    ]) {
      expect(await decide({}, composed.optional())).toEqual([403, 'no'])
      expect(await decide({ 'x-badge': '1' }, composed.optional())).toEqual([200, 'badge'])
    }
    expect(asked).toEqual(['no', 'no', 'no'])
  })

  test('answer 500 when a handler behind them throws through next(), as one gate does', async () => {
    const composed = firstPresented(badge(), gateOn('key', ['x-key'], { anonymous: () => Promise.resolve(undefined) }))
    const optional = composed.optional()
    const app = express().use((incoming, response) =>
      optional(incoming, response, () => {
        throw new Error('of the app')
      }),
    )
    expect((await request(app).get('/')).status).toBe(500)
  })
})

describe('what is wrong with a composition', () => {
  test('is told with its name', () => {
    expect(() => composeGates([() => undefined] as never)).toThrow(/^firstPresented: .*gate/)
    expect(() => composeGates([badge(), () => undefined] as never)).toThrow(/^firstPresented: .*gate/)
    expect(() => composeGates([badge()], { onDenied: 7 } as never)).toThrow(/^firstPresented: /)
    expect(firstPresented(badge()).name).toBe('firstPresented')
  })

  test('is a gate that stands in it twice', () => {
    const gate = badge()
    expect(() => firstPresented(gate, gate)).toThrow('Keep one of them')
  })
})
