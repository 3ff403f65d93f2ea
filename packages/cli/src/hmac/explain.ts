import { createHash } from 'node:crypto'
import { explainSignature, type SignatureExplanation } from '@countersign/hmac/explain'
import type { CommandDefinition } from '../command.js'
import type { Context } from '../context.js'
import { isoTime } from '../durations.js'
import { exitCodes } from '../errors.js'
import { readInput } from '../input.js'
import { compareRefusal, type Difference, parseRefusal } from './compare-refusal.js'
import { addSigningOptions, type SignedCall, type SigningOptions, signRequest, verifierOf } from './sign.js'

interface ExplainOptions extends SigningOptions {
  readonly refusal?: string
}

/** `hmac explain`: shows the signed text, what the gate's own code says about it, and what a refusal reveals. */
export const hmacExplain: CommandDefinition<ExplainOptions, [method: string, url: string]> = {
  usage: 'explain <method> <url>',
  summary: 'show the signed text, what a gate says about it and, given a refusal, what differs',
  details: 'The exit code is 1 when a gate would refuse it or a difference is certain.',
  examples: [
    'countersign hmac explain GET https://billing.example.com/jobs --caller scheduler',
    'countersign hmac curl -i … | countersign hmac explain … --refusal -',
    'grep access.denied audit.jsonl | tail -1 | countersign hmac explain … --refusal -',
  ],
  options: (command) =>
    addSigningOptions(command).option(
      '--refusal <file>',
      'the answer as "curl -i" prints it, or the audit event of the refusal; "-" is standard input',
    ),
  async run(context, options, method, url) {
    const signed = await signRequest(context, options, method, url)
    const explained = await explainSignature(signed, { ...verifierOf(signed), now: signed.signedAtMs })
    const { verdict, steps } = explained
    const differences =
      options.refusal === undefined
        ? undefined
        : await compareRefusal(
            signed,
            parseRefusal((await readInput(context, options.refusal, 'the refusal')).toString('utf8')),
          )
    if (options.json)
      context.output.json({ ...described(signed, explained), verdict: verdict.outcome, steps, differences })
    else {
      printSigned(context, signed, explained)
      if (differences !== undefined) printDifferences(context, differences)
    }
    const isWrong = verdict.outcome !== 'granted' || differences?.some(({ isCertain }) => isCertain)
    return isWrong ? exitCodes.failed : exitCodes.ok
  },
}

function described(
  { added, legacy, body, audience, caller, version, format, signedAtMs }: SignedCall,
  { claim, meaning }: SignatureExplanation,
) {
  return {
    format: format.name,
    caller,
    version,
    audience: format.bindsAudience ? audience : null,
    signedAt: isoTime(signedAtMs),
    bodyBytes: body.length,
    bodySha256: createHash('sha256').update(body).digest('hex'),
    base: claim?.base,
    // What is explained is pasted into tickets: the signature may be there, the old key may not.
    headers: legacy === undefined ? added : { ...added, [legacy]: '<redacted>' },
    meaning,
  }
}

function printSigned({ output }: Context, signed: SignedCall, explained: SignatureExplanation): void {
  const { format, caller, version, audience, signedAt, bodyBytes, bodySha256, base, headers, meaning } = described(
    signed,
    explained,
  )
  const title = (text: string) => output.style('bold', text)
  output.line(`${title('format')}    ${format}, caller ${caller}, version ${version}`)
  output.line(`${title('audience')}  ${audience ?? 'not bound'}`)
  output.line(`${title('time')}      ${signedAt}`)
  output.line(`${title('body')}      ${bodyBytes} bytes, sha-256 ${bodySha256}`)
  output.line(
    `${title('gate')}      ${meaning === undefined ? 'accepts it with this secret' : `refuses it: ${meaning}`}`,
  )
  if (base !== undefined) output.line(title('signed text, line by line, escaped as in JSON:'))
  for (const line of base === undefined ? [] : escapedLines(base)) output.line(`  ${line}`)
  output.line(title('header fields:'))
  for (const [name, value] of Object.entries(headers)) output.line(`  ${name}: ${value}`)
}

/** The lines of a text with their line ends, so that a missing or doubled one is visible. */
export function escapedLines(base: string): string[] {
  return base
    .split(/(?<=\n)/)
    .map((line) => JSON.stringify(line).replace(/[\x7f-\uffff]/g, (unit) => `\\x${unit.charCodeAt(0).toString(16)}`))
}

function printDifferences({ output }: Context, differences: readonly Difference[]): void {
  output.line(output.style('bold', 'what the refusal says:'))
  for (const { what, remedy, isCertain } of differences) {
    output.line(`  ${output.style(isCertain ? 'red' : 'yellow', isCertain ? '✗' : '?')} ${what}`)
    output.line(`      ${remedy}`)
  }
}
