import { type Check, fail, finishReport, pass, printCheck } from '../checks.js'
import type { JsonOption } from '../command.js'
import type { NamespaceOption } from '../connect/redis.js'
import type { Context } from '../context.js'
import type { ExitCode } from '../errors.js'
import { checkKeys, checkStore } from '../hmac/check-secrets.js'
import { checkEnvironment } from './check-environment.js'
import { checkRedis } from './check-redis.js'
import { checkSettings } from './settings/check-settings.js'

/** What `doctor` is asked. */
export interface DoctorRequest extends JsonOption, NamespaceOption {
  /** Where people reach the settings. */
  readonly settings?: URL
}

/** `doctor`: checks Node, the environment, the keys, PostgreSQL and Redis, and the way to the settings when it is asked to. */
export async function doctor(context: Context, { json, settings, namespace }: DoctorRequest): Promise<ExitCode> {
  const checks: Check[] = []
  const parts = [
    async () => [checkNode(process.versions.node)],
    () => checkEnvironment(context.env),
    () => checkKeys(context.env),
    () => checkStore(context),
    () => checkRedis(context),
    ...(settings === undefined
      ? []
      : [() => checkSettings(context, settings, namespace === undefined ? {} : { namespace })]),
  ]
  for (const part of parts) {
    const found = await part()
    checks.push(...found)
    if (!json) for (const check of found) printCheck(context, check)
  }
  return finishReport(context, checks, { json })
}

/** The range of the packages' `engines`. */
export function checkNode(version: string): Check {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const isSupported = (major === 20 && minor >= 19) || (major === 22 && minor >= 12) || major > 22
  if (isSupported) return pass('node', `Node ${version}`)
  return fail('node', `Node ${version} is not supported`, 'Use 20.19, 22.12 or later.')
}
