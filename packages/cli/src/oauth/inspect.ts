import type { IssuerOptions, OAuthBearerReason } from '@countersign/oauth-bearer'
import {
  createConnect,
  type DecodedToken,
  decodeToken,
  discoverIssuer,
  explainToken,
  type NetworkOptions,
  resourceSpellings,
  type TokenSender,
} from '@countersign/oauth-bearer/explain'
import { type Check, fail, pass, printCheck, skip } from '../checks.js'
import type { CommandDefinition } from '../command.js'
import type { Context } from '../context.js'
import { isoTime, relativeTime } from '../durations.js'
import { type CommandError, exitCodes, failedError, unavailableError, usageError } from '../errors.js'
import { attemptsText } from './discovery.js'
import { DPOP, decideOnProof, readSender } from './inspect-proof.js'
import { addIssuerOptions, type IssuerWords, issuerFromOptions } from './issuer-from-options.js'
import { addNetworkOptions, type NetworkWords, networkFromOptions } from './network.js'
import { addTokenOption, readAccessToken, redactClaims } from './token.js'

interface InspectOptions extends IssuerWords, NetworkWords {
  readonly tokenFile?: string
  readonly showPersonal?: boolean
  readonly proof?: string
  readonly method?: string
  readonly url?: string
}

/** `oauth inspect`: shows header and claims of a token and, given its issuer, the decision of the gate. */
export const oauthInspect: CommandDefinition<InspectOptions> = {
  usage: 'inspect',
  summary: 'show the claims of an access token and, given its issuer, whether a gate accepts it',
  details: 'The token comes from standard input. Its signature and personal claims are not shown.',
  examples: [
    'pbpaste | countersign oauth inspect --issuer https://auth.example.com --audience https://api.example.com',
    'countersign oauth inspect --token-file token --proof proof --method POST --url https://api.example.com/files',
    'countersign oauth inspect --token-file token --preset auth0 --set domain=example.eu.auth0.com --audience https://api.example.com',
  ],
  options: (command) =>
    addNetworkOptions(addIssuerOptions(addTokenOption(command)))
      .option('--proof <file>', 'the DPoP proof that was sent with the token: the value of the DPoP field')
      .option('--method <method>', 'with --proof: the method of the request (default: GET)')
      .option('--url <url>', 'with --proof: the URL that the client requested')
      .option('--show-personal', 'show personal claims too'),
  async run(context, options) {
    const { json, showPersonal = false } = options
    const token = await requireToken(context, options.tokenFile)
    const issuer = await issuerFromOptions(context, options)
    const decoded = decodeToken(token)
    if (issuer === undefined && decoded === undefined) {
      throw failedError(
        'the token is not a JWT: it is opaque or malformed, and only its issuer can judge it (RFC 7662)',
      )
    }
    const claims = decoded && (showPersonal ? decoded.claims : redactClaims(decoded.claims))
    const sender = await readSender(context, options)
    const proven = issuer === undefined ? undefined : await decide(context, token, decoded, issuer, options, sender)
    const decision = proven ?? (sender && (await decideOnProof(token, decoded?.claims, sender)))
    const proof = sender && decodeToken(sender.proof)
    if (json) context.output.json({ header: decoded?.header, claims, proof, ...decision })
    else {
      if (decoded !== undefined && claims !== undefined) print(context, decoded.header, claims)
      if (proof !== undefined) print(context, proof.header, proof.claims, 'proof ')
      const unproven = skip('verified', 'neither --issuer nor --preset was given: nothing is verified')
      for (const check of [...(proven === undefined ? [unproven] : []), ...(decision?.checks ?? [])]) {
        printCheck(context, check)
      }
    }
    return decision?.ok === false ? exitCodes.failed : exitCodes.ok
  },
}

async function requireToken(context: Context, file: string | undefined): Promise<string> {
  const { COUNTERSIGN_TOKEN, COUNTERSIGN_TOKEN_FILE } = context.env
  const fallback = (COUNTERSIGN_TOKEN ?? COUNTERSIGN_TOKEN_FILE) === undefined ? '-' : undefined
  const token = await readAccessToken(context, file ?? fallback)
  if (token === undefined || token === '') throw usageError('no token is given: pipe one in, or use --token-file')
  return token
}

interface Decision {
  readonly ok: boolean
  /** Why the gate refuses it. */
  readonly reason: OAuthBearerReason | undefined
  readonly checks: readonly Check[]
}

/** Lets the gate's own code decide. @throws {CommandError} when the issuer cannot be asked. */
async function decide(
  context: Context,
  token: string,
  decoded: DecodedToken | undefined,
  issuer: IssuerOptions,
  words: InspectOptions,
  sender: TokenSender | undefined,
): Promise<Decision> {
  const { audience, preset } = words
  const network = networkFromOptions(words)
  const own = [decoded?.claims.aud].flat().filter((one): one is string => typeof one === 'string' && one !== '')
  const options = {
    // Nothing is served here, so only the audience matters, and the origin of the URL in a proof.
    resource: sender === undefined ? 'https://resource.invalid' : new URL(sender.url).origin,
    audience: audience === undefined ? (own.length > 0 ? own : undefined) : resourceSpellings(audience),
    issuer,
    ...network,
    ...(sender === undefined ? {} : { dpop: DPOP }),
  }
  const { verdict, steps } = await explainToken(token, options, sender)
  if (verdict.outcome === 'unavailable') {
    throw await outage(context, issuer, network, String(verdict.detail?.attributes?.failure ?? verdict.dependency))
  }
  const reason = verdict.outcome === 'denied' ? verdict.reason : undefined
  const outcomes = new Map(steps.map(({ step, outcome }) => [step, outcome]))
  const order = sender === undefined ? STEPS.filter(({ id }) => id !== 'proof') : STEPS_OF_BOUND
  const checks = order.map(({ id, passed }) => {
    const outcome = outcomes.get(id)
    if (reason !== undefined && outcome === 'failed') {
      const { attributes = {} } = verdict.detail ?? {}
      const [what, remedy] = refusalOf(reason, preset, attributes.expected_types !== undefined)
      return fail(id, `${what}${seenIn(attributes)}`, remedy)
    }
    if (outcome !== 'passed') return skip(id, 'not reached')
    if (id === 'audience' && audience === undefined && own.length > 0)
      return skip(id, `no --audience was given: it is for ${own.join(', ')}`)
    return pass(id, passed(decoded as DecodedToken, issuer))
  })
  return { ok: reason === undefined, reason, checks }
}

/** The steps that can be checked without the app: revocation and scopes are the app's. */
const STEPS: readonly {
  readonly id: string
  readonly passed: (token: DecodedToken, issuer: IssuerOptions) => string
}[] = [
  { id: 'form', passed: () => 'it is a signed JWT' },
  { id: 'issuer', passed: (_token, { issuer }) => `its issuer is ${issuer}` },
  { id: 'type', passed: ({ header }) => `it is an access token (${header.typ ?? 'without a type'})` },
  { id: 'key', passed: ({ header }) => `the issuer has its key (${header.kid ?? 'unnamed'})` },
  { id: 'signature', passed: ({ header }) => `the issuer signed it (${header.alg})` },
  { id: 'claims', passed: () => 'it has the required claims' },
  { id: 'times', passed: () => 'it is valid now' },
  { id: 'binding', passed: ({ claims }) => (isJkt(claims) ? 'it is bound to a key' : 'it is not bound to a key') },
  { id: 'audience', passed: ({ claims }) => `it is for this resource: ${whomOf(claims)}` },
  { id: 'proof', passed: () => 'the proof is for this request, this token and its key' },
]
/** A bound token is known to be one before what it is bound to is checked. */
const STEPS_OF_BOUND = [
  ...STEPS.filter(({ id }) => id !== 'binding' && id !== 'proof'),
  ...STEPS.filter(({ id }) => id === 'binding' || id === 'proof'),
]

function isJkt({ cnf }: DecodedToken['claims']): boolean {
  return typeof cnf === 'object' && cnf !== null && 'jkt' in cnf
}

/** For whom and by whom the token was asked for. */
function whomOf({ aud, client_id: id, azp = id, cid = azp, appid = cid }: DecodedToken['claims']): string {
  const client = typeof appid === 'string' ? ` by the client ${appid}` : ''
  return `${aud === undefined ? 'no audience' : [aud].flat().join(', ')}${client}`
}

/** What each reason means for the holder of the token, and what to do. */
const REFUSALS: Readonly<Partial<Record<OAuthBearerReason, readonly [what: string, remedy: string]>>> = {
  malformed: ['it is not one token (RFC 6750 §2.1)', 'Pass only the token.'],
  malformed_token: [
    'it is not a JWT: it is opaque or malformed',
    'Only introspection can judge an opaque token (RFC 7662).',
  ],
  wrong_issuer: ['its "iss" is another issuer', 'Pass the --issuer that issued it, exactly as in its "iss".'],
  wrong_type: [
    'its type is not at+jwt (RFC 9068)',
    "A gate with profile: 'relaxed' accepts more types, but no ID tokens: try --profile relaxed.",
  ],
  wrong_algorithm: ['its algorithm is not accepted', 'See the option "algorithms" of the issuer.'],
  unknown_key: ['the issuer has no key that signed it', 'The key was removed, or another issuer signed it.'],
  bad_signature: ['its signature is wrong', 'It was altered, or another issuer signed it.'],
  missing_claim: [
    'it lacks a required claim, or one has the wrong type',
    "RFC 9068 §2.2 lists them. A gate with profile: 'relaxed' requires fewer: try --profile relaxed.",
  ],
  expired: ['it has expired', 'Get a new one.'],
  not_yet_valid: ['it is not valid yet', 'Wait, or synchronise the clocks (NTP).'],
  bound_token: [
    'its binding (cnf) does not match how it is presented',
    'A bound token needs the scheme DPoP and its proof: pass it with --proof. A bearer token needs Bearer.',
  ],
  bad_proof: [
    'the proof is not valid: "part" says where',
    'The guide "Tokens that only their client can use" says what to do for each part.',
  ],
  wrong_audience: ['it is for another audience', 'Get a token for this resource (RFC 8707).'],
}

/** An access token has a type that the profile expects, and the claims that the preset knows it by. */
function refusalOf(
  reason: OAuthBearerReason,
  preset: string | undefined,
  hasWrongType: boolean,
): readonly [what: string, remedy: string] {
  if (reason === 'wrong_type' && !hasWrongType) {
    const what = preset === undefined ? 'another kind of token' : `not an access token that the preset ${preset} knows`
    return [`it is ${what}`, 'ID and refresh tokens are for the client: send the access token for this resource.']
  }
  return REFUSALS[reason] ?? [`the gate refuses it: ${reason}`, 'See the guide for this reason.']
}

/** What the audit event of this refusal would say: seen against expected. */
function seenIn(attributes: Readonly<Record<string, unknown>>): string {
  const seen = Object.entries(attributes).filter(([name]) => name !== 'issuer')
  return seen.length === 0 ? '' : ` (${seen.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(' ')})`
}

/** Why the gate cannot decide. */
async function outage(
  { signal }: Context,
  { issuer, jwksUri, metadataUrl }: IssuerOptions,
  network: NetworkOptions,
  failure: string,
): Promise<CommandError> {
  if (jwksUri !== undefined) {
    return unavailableError(`the keys at ${jwksUri} cannot be fetched (${failure}): check the options of the preset`)
  }
  const { metadata, attempts } = await discoverIssuer(issuer, {
    timeoutMs: 10_000,
    signal,
    metadataUrl,
    connect: createConnect(network),
  })
  signal.throwIfAborted()
  if (metadata !== undefined) {
    const place = typeof metadata.jwks_uri === 'string' ? metadata.jwks_uri : `the jwks_uri of ${issuer}`
    const advice = failure.startsWith('invalid')
      ? 'without --trusted-host a gate fetches keys only from the host of the issuer and from public addresses, over https'
      : 'check that the issuer runs'
    return unavailableError(`the keys at ${place} cannot be fetched (${failure}): ${advice}`)
  }
  const other = attempts.find((attempt) => attempt.metadata !== undefined)
  if (other === undefined) {
    return unavailableError(`the metadata of the issuer cannot be fetched: ${attemptsText(attempts)}`)
  }
  const named = JSON.stringify(other.metadata?.issuer)
  return usageError(`${other.url} is the metadata of ${named}, not of ${issuer}: give --issuer exactly as it is there`)
}

const TIMES = ['exp', 'nbf', 'iat', 'auth_time']

function print(
  { output }: Context,
  header: Readonly<Record<string, unknown>>,
  claims: Readonly<Record<string, unknown>>,
  of = '',
): void {
  for (const [title, members] of Object.entries({ [`${of}header`]: header, [`${of}claims`]: claims })) {
    output.line(output.style('bold', title))
    const width = Math.max(...Object.keys(members).map((name) => name.length), 0)
    for (const [name, value] of Object.entries(members)) {
      const isTime = TIMES.includes(name) && typeof value === 'number' && Math.abs(value) < 8.64e12
      const time = isTime ? `  ${isoTime(value * 1000)}, ${relativeTime(value * 1000)}` : ''
      // JSON escapes control characters, except C1 and bidirectional ones.
      const text = JSON.stringify(value)?.replace(/[\x7f-\x9f\u2028-\u202e\u2066-\u2069]/g, '')
      output.line(`  ${JSON.stringify(name).slice(1, -1).padEnd(width)}  ${text}${time}`)
    }
  }
  output.line(`${output.style('bold', `${of}signature`)}  <redacted>`)
}
