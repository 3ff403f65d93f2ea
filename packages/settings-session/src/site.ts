import type { SameSite } from './cookies.js'

/** Where the pages are, as browsers reach them, and the cookies that they use. */
export interface Site {
  /** `https://host[:port]`, as browsers send it in `Origin`. */
  readonly origin: string
  /** The path of `baseUrl`: `/settings`, or nothing at the root. */
  readonly path: string
  readonly cookies: CookieNames
  /** Of the session's cookie. */
  readonly sameSite: SameSite
}

/** The names of the cookies. */
export interface CookieNames {
  /** The session. */
  readonly session: string
  /** A link that is being opened. */
  readonly open: string
  /** A sign-in that is under way. */
  readonly signIn: string
  /** A browser that used Telegram's data. */
  readonly device: string
}

/** A page of the routes, as a path below `baseUrl`. */
export type PagePath = '' | '/open' | '/oauth/start' | '/oauth/callback' | '/oauth/release' | '/telegram' | '/waiting'

/** The site of a `baseUrl`. */
export function createSite({ origin, pathname }: URL, cookieName: string, sameSite: SameSite): Site {
  // The prefix makes browsers insist on Secure, Path=/ and no Domain: a sibling host cannot set such a cookie.
  const name = `__Host-${cookieName}`
  const cookies = { session: name, open: `${name}-open`, signIn: `${name}-tx`, device: `${name}-device` }
  return { origin, path: pathname === '/' ? '' : pathname, cookies, sameSite }
}

/** The path of a page. */
export function pathTo({ path }: Pick<Site, 'path'>, page: PagePath): string {
  return `${path}${page}` || '/'
}

// A path and a query of visible ASCII. No backslash, which browsers read as a slash, and no control characters.
const PATH = /^\/(?:[!#-[\]-~]*)$/

/**
 * A place below `baseUrl` to return to, or undefined. Only a path is taken, so that none of our redirects leads
 * elsewhere: `//host`, `/\host`, a scheme, and what dots make of a path are refused.
 */
export function parseReturnTo(value: unknown, { origin, path }: Pick<Site, 'origin' | 'path'>): string | undefined {
  if (typeof value !== 'string' || value.length > 1024 || !PATH.test(value) || value.startsWith('//')) return undefined
  if (!URL.canParse(value, origin)) return undefined
  const url = new URL(value, origin)
  if (url.origin !== origin || (url.pathname !== path && !url.pathname.startsWith(`${path}/`))) return undefined
  return url.pathname.startsWith('//') ? undefined : `${url.pathname}${url.search}`
}
