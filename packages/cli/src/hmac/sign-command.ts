import type { Context } from '../context.js'
import { signRequest } from './signing.js'
import type { SigningOptions } from './signing-options.js'

/** `hmac sign`: prints the header fields that a request needs. */
export async function signCommand(
  context: Context,
  options: SigningOptions & { readonly json?: boolean },
  method: string,
  url: string,
): Promise<undefined> {
  const { added } = await signRequest(context, options, method, url)
  if (options.json) context.output.json(added)
  else for (const [name, value] of Object.entries(added)) context.output.line(`${name}: ${value}`)
}
