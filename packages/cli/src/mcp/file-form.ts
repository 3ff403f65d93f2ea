import type { CredentialFileForm } from '@countersign/mcp-credential'
import { InvalidArgumentError } from 'commander'

/** For commander: how a credential file is written. `env:NAME` is a line of a `.env` file. */
export function parseForm(text: string): CredentialFileForm {
  if (text === 'headers' || text === 'token') return text
  const [, envName] = /^env:([A-Z_][A-Z0-9_]{0,99})$/.exec(text) ?? []
  if (envName === undefined) {
    throw new InvalidArgumentError('It must be headers, token, or env:NAME with the name of a variable in capitals.')
  }
  return { envName }
}

/** What {@link parseForm} reads. */
export function formText(form: CredentialFileForm): string {
  return typeof form === 'string' ? form : `env:${form.envName}`
}
