import type { Context } from '../context.js'
import { writePrivateFile } from '../private-file.js'

/** Gives a made secret to whoever ran the command: on stdout, or in a file for its owner alone. */
export function handOver(
  { output }: Context,
  { caller, version, secret }: { caller: string; version: number; secret: string | undefined },
  { out, json }: { readonly out?: string | undefined; readonly json?: boolean | undefined },
): void {
  if (secret !== undefined && out !== undefined) writePrivateFile(out, `${secret}\n`)
  const shown = secret !== undefined && out === undefined ? { secret } : {}
  if (json) output.json({ caller, version, ...shown, ...(out === undefined ? {} : { file: out }) })
  else if (shown.secret !== undefined) output.line(shown.secret)
  else output.line(`${caller}/${version}${out === undefined ? '' : `: the secret is in ${out}`}`)
}
