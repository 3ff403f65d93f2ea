import cluster from 'node:cluster'
import type { WarningCode } from '../homepage.js'
import { isProduction } from '../options/env.js'
import { warnOnce } from '../warn-once.js'

/** What {@link warnOfMemory} says of a store. */
export interface MemoryAdvice {
  /** The function that makes the store. */
  readonly store: string
  /** What is in it, after "keeps". */
  readonly keeps: string
  /** The store for more than one process. */
  readonly instead: string
  /** What a restart does to the safety of the app; undefined where nothing is lost but comfort. */
  readonly atRestart?: string | undefined
}

/**
 * Warns once of a memory store in production: where other workers do not have what is in it, and else where a restart
 * loses what protects the app. Call it where the store is made.
 */
export function warnOfMemory({ store, keeps, instead, atRestart }: MemoryAdvice): void {
  const { env } = process
  const isLambda = env.AWS_LAMBDA_FUNCTION_NAME !== undefined
  if (!isProduction(env)) return
  const workers = isLambda ? 'an instance of an AWS Lambda function' : workerOf(env)
  const remedy = `Use ${instead}.`
  const tell = (code: WarningCode, message: string) =>
    warnOnce({ code, cause: store, message: `${store} keeps ${keeps} only in this process, ${message}`, remedy })
  if (workers !== undefined)
    tell('COUNTERSIGN_MEMORY_UNDER_WORKERS', `and this is ${workers}: the others do not see it`)
  else if (atRestart !== undefined) tell('COUNTERSIGN_MEMORY_LOST_AT_RESTART', `and after a restart, ${atRestart}`)
}

/** What this process is one of; undefined where it is the only one, as far as it can tell. */
function workerOf(env: NodeJS.ProcessEnv): string | undefined {
  const { pm_id: pm2Id, instances, NODE_APP_INSTANCE: instance } = env
  // PM2 runs a single process as a worker of node:cluster, too.
  if (pm2Id !== undefined)
    return Number(instances) > 1 || Number(instance) > 0 ? 'one of several processes of PM2' : undefined
  return cluster.isWorker ? 'a worker of node:cluster' : undefined
}
