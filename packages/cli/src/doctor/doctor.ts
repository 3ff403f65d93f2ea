import { type Check, concludeChecks, fail, pass, printCheck } from '../checks.js'
import type { Context } from '../context.js'
import type { ExitCode } from '../exit-codes.js'
import { checkKeys } from '../hmac/check-keys.js'
import { checkStore } from '../hmac/check-store.js'
import { checkEnvironment } from './check-environment.js'
import { checkRedis } from './check-redis.js'

/** Everything that can be seen from here: Node, the environment, the keys, PostgreSQL, Redis. */
export async function doctor(context: Context, { json }: { readonly json?: boolean }): Promise<ExitCode> {
  const checks: Check[] = []
  const parts = [
    async () => [checkNode(process.versions.node)],
    () => checkEnvironment(context.env),
    () => checkKeys(context.env),
    () => checkStore(context),
    () => checkRedis(context),
  ]
  for (const part of parts) {
    const found = await part()
    checks.push(...found)
    if (!json) for (const check of found) printCheck(context, check)
  }
  return concludeChecks(context, checks, { json })
}

/** The range of the packages' `engines`. */
export function checkNode(version: string): Check {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const isSupported = (major === 20 && minor >= 19) || (major === 22 && minor >= 12) || major > 22
  if (isSupported) return pass('node', `Node ${version}`)
  return fail('node', `Node ${version} is not supported`, 'Take 20.19, 22.12 or later.')
}
