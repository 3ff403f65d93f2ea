import { warnOnce } from '@countersign/core/gate-kit'
import type { Request, RequestHandler } from 'express'

/** What is known of where the handlers of one gate's `metadata()` are mounted. */
export interface MetadataMount {
  /** The resource that the metadata is of. */
  readonly resource: string
  /** What `metadata()` returned so far. */
  readonly handlers: RequestHandler[]
  /** The paths that they answer. */
  readonly paths: Set<string>
  /** One of them has run, or nothing more can be known. */
  isSettled: boolean
}

/** A layer of Express's router, as far as it can be looked into. */
interface Layer {
  readonly handle?: { readonly name?: string; readonly stack?: readonly Layer[] }
  readonly route?: { readonly stack?: readonly Layer[] }
}

interface App {
  readonly parent?: App
  readonly _router?: { readonly stack?: readonly Layer[] }
  readonly router?: { readonly stack?: readonly Layer[] }
}

/** Warns once of metadata that runs below a path: clients look for it at the root (RFC 9728 §3.1). */
export function tellOfPath({ resource }: MetadataMount, baseUrl: string): void {
  warnOnce({
    code: 'COUNTERSIGN_OAUTH_METADATA_MISPLACED',
    cause: resource,
    message: () =>
      `metadata() of ${resource} is mounted at ${JSON.stringify(baseUrl.slice(0, 100))}, where no client looks`,
    remedy: 'Mount it at the root of the app: app.use(oauth.metadata()).',
  })
}

/**
 * Warns once when a challenge points to metadata that nothing serves, and when the gate refuses the request for it. A
 * refusal alone calls it.
 */
export function tellOfMount(mount: MetadataMount, request: Request): void {
  const { resource, handlers, paths } = mount
  if (handlers.length === 0) return
  if (paths.has(request.path)) {
    warnOnce({
      code: 'COUNTERSIGN_OAUTH_METADATA_BEHIND_GATE',
      cause: resource,
      message: `requireOAuthBearer refused a request for the metadata of ${resource}`,
      remedy: 'Clients have no token yet when they ask for it. Mount oauth.metadata() before the gate.',
    })
  }
  if (mount.isSettled) return
  mount.isSettled = true
  if (isMounted(request.app as App | undefined, handlers) !== false) return
  warnOnce({
    code: 'COUNTERSIGN_OAUTH_METADATA_NOT_MOUNTED',
    cause: resource,
    message: `A challenge points to the metadata of ${resource}, and the app does not serve it`,
    remedy:
      "Mount what metadata() returned: app.use(oauth.metadata()). Where another server has it, set 'resourceMetadataUrl'.",
  })
}

/** Undefined where it cannot be told: within an app that another app mounts, and without Express. */
function isMounted(app: App | undefined, handlers: readonly unknown[]): boolean | undefined {
  let found: boolean | undefined = false
  for (let at = app; at !== undefined; at = at.parent) {
    // Express 4 throws at `app.router`.
    const stack = (at._router ?? at.router)?.stack
    const here = stack === undefined ? undefined : isIn(stack, handlers)
    if (here === true) return true
    if (here === undefined) found = undefined
  }
  return app === undefined ? undefined : found
}

function isIn(stack: readonly Layer[], handlers: readonly unknown[]): boolean | undefined {
  let found: boolean | undefined = false
  for (const { handle, route } of stack) {
    if (handlers.includes(handle)) return true
    const below = handle?.stack ?? route?.stack
    const here = handle?.name === 'mounted_app' ? undefined : below !== undefined && isIn(below, handlers)
    if (here === true) return true
    if (here === undefined) found = undefined
  }
  return found
}
