import { createHash } from 'node:crypto'
import type { Context } from '../context.js'
import { isoTime } from '../durations.js'
import { type ExitCode, exitCodes } from '../exit-codes.js'
import { readInput } from '../secret-input.js'
import { compareRefusal, type Difference } from './compare-refusal.js'
import { parseRefusal } from './refusal.js'
import { type SignedRequest, signRequest } from './signing.js'
import type { SigningOptions } from './signing-options.js'

/** The options of `hmac explain`. */
export interface ExplainOptions extends SigningOptions {
  readonly refusal?: string
  readonly json?: boolean
}

/** Shows what is signed, byte for byte, and what a refusal of it says. */
export async function explain(
  context: Context,
  options: ExplainOptions,
  method: string,
  url: string,
): Promise<ExitCode> {
  const { output } = context
  const signed = await signRequest(context, options, method, url)
  const refusal =
    options.refusal === undefined
      ? undefined
      : parseRefusal((await readInput(context, options.refusal, 'the refusal')).toString('utf8'))
  const differences = refusal === undefined ? undefined : compareRefusal(signed, refusal)
  if (options.json) output.json({ ...described(signed), ...(differences === undefined ? {} : { differences }) })
  else {
    printSigned(context, signed)
    if (differences !== undefined) printDifferences(context, differences)
  }
  return differences?.some(({ isCertain }) => isCertain) ? exitCodes.failed : exitCodes.ok
}

function described({ base, added, body, audience, caller, version, format, signedAtMs }: SignedRequest) {
  return {
    format: format.name,
    caller,
    version,
    audience: format.bindsAudience ? audience : null,
    signedAt: isoTime(signedAtMs),
    bodyBytes: body.length,
    bodySha256: createHash('sha256').update(body).digest('hex'),
    base,
    headers: added,
  }
}

function printSigned({ output }: Context, signed: SignedRequest): void {
  const { format, caller, version, audience, signedAt, bodyBytes, bodySha256, headers } = described(signed)
  output.line(`${output.style('bold', 'format')}    ${format}, caller ${caller}, version ${version}`)
  output.line(`${output.style('bold', 'audience')}  ${audience ?? 'not bound'}`)
  output.line(`${output.style('bold', 'time')}      ${signedAt}`)
  output.line(`${output.style('bold', 'body')}      ${bodyBytes} bytes, sha-256 ${bodySha256}`)
  output.line(output.style('bold', 'signed text, a line each, escaped as in JSON:'))
  for (const line of escapedLines(signed.base)) output.line(`  ${line}`)
  output.line(output.style('bold', 'header fields:'))
  for (const [name, value] of Object.entries(headers)) output.line(`  ${name}: ${value}`)
}

/** Each line with the line end that it has, so that a missing or doubled one is seen. */
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
