import { sign } from '@countersign/hmac'
import { KEY_FIELD } from '../usual.js'
import type { Sent } from './exchange.js'
import { type Row, row, type Side } from './row.js'
import type { World } from './world.js'

const EXECUTIONS = '/internal/executions'
const BODY = '{"workflowId":"wf1"}'

/** A request that carries both: our signature, and the shared key. */
interface Signed {
  readonly url: string
  readonly sent: Sent
}

interface Signing {
  readonly secret?: string | undefined
  readonly key?: string | undefined
  readonly audience?: string | undefined
  readonly now?: number | undefined
}

function signed({ baseUrl, demo, usualApp }: World, signing: Signing = {}): Signed {
  const url = `${baseUrl}${EXECUTIONS}`
  const headers = { 'Content-Type': 'application/json' }
  const request = { method: 'POST', url, headers, body: Buffer.from(BODY) }
  const { caller, secret, audience } = demo.scheduler
  const { now } = signing
  const signature = sign(request, {
    caller,
    version: 1,
    secret: signing.secret ?? secret,
    audience: signing.audience ?? audience,
    now,
  })
  const key = { [KEY_FIELD]: signing.key ?? usualApp.sharedKey }
  return { url, sent: { method: 'POST', headers: { ...headers, ...signature, ...key }, body: BODY } }
}

const once = ({ send }: Side, { url, sent }: Signed) => send(url, sent)

/** Another service: `requireHmac` beside a shared key that is compared in constant time. */
export const serviceRows: readonly Row[] = [
  row({
    id: 'service-valid',
    kind: 'valid',
    title: 'A request of the scheduler',
    story: 'POST /internal/executions. It carries both a signature and the shared key.',
    ours: { outcome: 'let in', status: 200, reason: 'granted', why: 'The signature covers this very request.' },
    usual: { outcome: 'let in', status: 200, why: 'The key is the right one.' },
    prepare: (world) => signed(world),
    play: once,
  }),
  row({
    id: 'service-replay',
    kind: 'attack',
    title: 'Replay',
    story: 'A captured request is sent a second time, byte for byte.',
    ours: { outcome: 'refused', status: 401, reason: 'replayed', why: 'A signature is accepted once.' },
    usual: { outcome: 'let in', status: 200, why: 'The key is the same in every request: a copy is as good.' },
    prepare: (world) => signed(world),
    play: async (side, request) => {
      await (await once(side, request)).arrayBuffer()
      return once(side, request)
    },
  }),
  row({
    id: 'service-body',
    kind: 'attack',
    title: 'Tampered body',
    story: 'A captured request, with another workflow in its body.',
    ours: {
      outcome: 'refused',
      status: 401,
      reason: 'digest_mismatch',
      why: 'The digest of the body is signed, and this body has another one.',
    },
    usual: { outcome: 'let in', status: 200, why: 'The key says nothing about the body.' },
    prepare: (world) => signed(world),
    play: ({ send }, { url, sent }) => send(url, { ...sent, body: BODY.replace('wf1', 'wf2') }),
  }),
  row({
    id: 'service-operation',
    kind: 'attack',
    title: 'Another operation',
    story: 'The captured header fields are put on DELETE /internal/schedules/nightly.',
    ours: {
      outcome: 'refused',
      status: 401,
      reason: 'bad_signature',
      why: 'Method and path are signed: the signature is good for the captured operation alone.',
    },
    usual: { outcome: 'let in', status: 200, why: 'One key opens every operation.' },
    prepare: (world) => signed(world),
    play: ({ send }, { url, sent }) => send(new URL('/internal/schedules/nightly', url), { ...sent, method: 'DELETE' }),
  }),
  row({
    id: 'service-elsewhere',
    kind: 'attack',
    title: 'Signed for another service',
    story: 'The staging service got this request, and passes it on to this one.',
    ours: {
      outcome: 'refused',
      status: 401,
      reason: 'bad_signature',
      why: 'The name of the service that it is meant for is signed.',
    },
    usual: { outcome: 'let in', status: 200, why: 'Services that share a key can act for each other.' },
    prepare: (world) => signed(world, { audience: 'staging.example.com' }),
    play: once,
  }),
  row({
    id: 'service-late',
    kind: 'attack',
    title: 'Found in an old log',
    story: 'The request was signed an hour ago.',
    ours: { outcome: 'refused', status: 401, reason: 'expired', why: 'A signature is good for five minutes.' },
    usual: { outcome: 'let in', status: 200, why: 'The key has no age.' },
    prepare: (world) => signed(world, { now: Date.now() - 3_600_000 }),
    play: once,
  }),
  row({
    id: 'service-guess',
    kind: 'attack',
    title: 'A guessed secret',
    story: 'Both the signature and the key are made with a wrong secret.',
    ours: { outcome: 'refused', status: 401, reason: 'bad_signature', why: 'The signature is of another secret.' },
    usual: { outcome: 'refused', status: 401, why: 'The key is not the right one, and the time tells nothing.' },
    prepare: (world) => {
      const secret = 'a-guess-that-is-as-long-as-a-secret-has-to-be'
      return signed(world, { secret, key: secret })
    },
    play: once,
  }),
]
