import { warnOnce } from '@countersign/core/gate-kit'
import type { Request, RequestHandler } from 'express'
import { resourceMetadataUrl, WELL_KNOWN } from './resource.js'

/** What is known of where the handlers of one gate's `metadata()` are mounted. */
export interface MetadataMount {
  /** The resource that the metadata is of. */
  readonly resource: string
  /** Where RFC 9728 §3.1 has it. */
  readonly place: string
  /** What `metadata()` returned so far. */
  readonly handlers: RequestHandler[]
  /** The paths that they answer. */
  readonly paths: Set<string>
  /** One of them has run, or nothing more can be known. */
  isSettled: boolean
  /** Where a router that is mounted below a path serves it; undefined at the root, and while none has run. */
  below: string | undefined
  /** One of them runs at the root. */
  isAtRoot: boolean
}

/** What is known before the first request. */
export function createMount(resource: string): MetadataMount {
  const place = resourceMetadataUrl(resource)
  return { resource, place, handlers: [], paths: new Set(), isSettled: false, below: undefined, isAtRoot: false }
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

/** Where clients find the metadata, as far as this gate's `metadata()` serves it. */
export function placeOf({ place, handlers, below }: MetadataMount): string | undefined {
  return handlers.length === 0 ? undefined : (below ?? place)
}

/** Notes the path below which a handler of `metadata()` runs. At the root, the place of RFC 9728 stands. */
export function noteMount(mount: MetadataMount, baseUrl: string | undefined): void {
  mount.isSettled = true
  if (mount.isAtRoot) return
  if (!baseUrl) {
    mount.isAtRoot = true
    mount.below = undefined
  } else if (mount.handlers.length > 0) {
    mount.below ??= placeBelow(mount.resource, baseUrl)
    tellOfPath(mount, baseUrl)
  }
}

/**
 * Where clients find what is served below this path. What is before it in the resource's path is what a proxy removes. A
 * path that is no part of the resource's is not believed: what one request says must not be in the challenges of others.
 */
function placeBelow(resource: string, baseUrl: string): string | undefined {
  const { origin, pathname } = new URL(resource)
  const start = `${pathname}/`.indexOf(`${baseUrl}/`)
  return start === -1 ? undefined : `${origin}${pathname.slice(0, start + baseUrl.length)}${WELL_KNOWN}`
}

/** Warns once: clients that do not read the challenge look for the metadata at the root (RFC 9728 §3.1). */
function tellOfPath({ resource, below }: MetadataMount, baseUrl: string): void {
  const place = below === undefined ? 'no client looks' : 'only clients that read the challenge find it'
  warnOnce({
    code: 'COUNTERSIGN_OAUTH_METADATA_MISPLACED',
    cause: resource,
    message: () => `metadata() of ${resource} is mounted at ${JSON.stringify(baseUrl.slice(0, 100))}, where ${place}`,
    remedy:
      "Mount it at the root of the app: app.use(oauth.metadata()). If that is impossible, set 'resourceMetadataUrl'.",
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
      remedy: 'Clients have no token yet when they request it. Mount oauth.metadata() before the gate.',
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
      "Mount what metadata() returned: app.use(oauth.metadata()). If another server has it, set 'resourceMetadataUrl'.",
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
