import { OptionError } from '@countersign/core'

/** Which server each variable is for, the oldest first. `isChosen`: the app named it. */
const variables = new Map<string, { readonly serverName: string; readonly isChosen: boolean }>()
const MAX_VARIABLES = 1000

/**
 * The environment variable of a server. One variable holds one token: of two servers in one environment, one would be sent
 * the other's. A caller that names one variable for both knows what is started with it.
 *
 * @throws {OptionError} when it is another server's in this process.
 */
export function variableOf(serverName: string, chosen: string | undefined): string {
  const env = chosen ?? `MCP_CRED_${serverName.toUpperCase().replaceAll('-', '_')}`
  const isChosen = chosen !== undefined
  const known = variables.get(env)
  if (known !== undefined && known.serverName !== serverName && !(known.isChosen && isChosen)) {
    throw new OptionError(
      'ERR_COUNTERSIGN_OPTION_INVALID',
      'serverName',
      `toClientConfig: the servers ${known.serverName} and ${serverName} would share the environment variable ${env}. Use different names, or set "envName"`,
    )
  }
  variables.delete(env)
  variables.set(env, { serverName, isChosen })
  if (variables.size > MAX_VARIABLES) variables.delete(variables.keys().next().value as string)
  return env
}
