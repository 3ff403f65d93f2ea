import type { CommandDefinition } from '../command.js'
import { parseSeconds } from '../durations.js'
import { exitCodes, failedError } from '../errors.js'
import { sendRequest, unreachable } from '../send-request.js'
import { addSigningOptions, type SigningOptions, signRequest } from './sign.js'

interface CurlOptions extends SigningOptions {
  readonly include?: boolean
  readonly maxTime?: number
}

/** `hmac curl`: signs a request, sends it and prints the answer. Throws when the status is not 2xx. */
export const hmacCurl: CommandDefinition<CurlOptions, [method: string, url: string]> = {
  usage: 'curl <method> <url>',
  summary: 'sign a request, send it and print the answer',
  details: 'The exit code is 0 for a status of 2xx. Redirects are not followed.',
  examples: ['countersign hmac curl GET https://billing.example.com/jobs --caller scheduler'],
  options: (command) =>
    addSigningOptions(command)
      .option('-i, --include', 'print status and header fields too')
      .option('--max-time <time>', 'how long it may take (default: 30s)', parseSeconds),
  async run(context, options, method, url) {
    const { output, signal } = context
    const signed = await signRequest(context, options, method, url)
    const timeoutMs = (options.maxTime ?? 30) * 1000
    const response = await sendRequest(signed, timeoutMs, signal)
    const status = response.statusCode ?? 0
    const body: Buffer[] = []
    if (options.include && !options.json) {
      output.line(`HTTP/${response.httpVersion} ${status} ${response.statusMessage ?? ''}`.trimEnd())
      for (const [name, values] of Object.entries(response.headersDistinct)) {
        for (const value of values ?? []) output.line(`${name}: ${value}`)
      }
      output.line()
    }
    try {
      for await (const chunk of response) {
        if (options.json) body.push(chunk as Buffer)
        else await output.bytes(chunk as Buffer)
      }
    } catch (error) {
      throw unreachable(new URL(url).host, error, timeoutMs)
    }
    if (options.json) {
      output.json({ status, headers: response.headers, body: Buffer.concat(body).toString('utf8') })
    }
    if (status >= 200 && status < 300) return exitCodes.ok
    const redirect =
      status >= 300 && status < 400 ? 'redirects are not followed: sign a request for its target' : undefined
    const hint = HINTS[status] ?? redirect
    throw failedError(`the server answered ${status}${hint === undefined ? '' : `: ${hint}`}`)
  },
}

const HINTS: Readonly<Record<number, string>> = {
  400: 'a header was sent twice, or credentials of two kinds',
  401: 'it refused the signature: "countersign hmac explain" with the same arguments shows what was signed',
  403: 'the caller is known, but may not do this',
  404: 'there is no such path',
  413: 'the body is larger than it accepts',
  503: 'it cannot reach its own secret or replay store: try again',
}
