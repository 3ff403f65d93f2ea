// A link may be damaged in any way behind its first characters. Any other token is one that is whole up to its secret: its
// first characters alone are those of `d3.js` and `t2.micro`.
const TOKEN_BEGINS = /^(?:l\d{1,2}\.|[a-z]\d{1,2}\.[0-9a-f][A-Za-z0-9_-]{16}\.)/

/**
 * Whether `s` of a query is for the routes: a link, whole or damaged, or another token of ours. Any other `s` on the same path,
 * such as a search, is the app's.
 */
export function isLinkQuery(query: { readonly s?: unknown } | undefined): boolean {
  return [query?.s].flat().some((value) => typeof value === 'string' && TOKEN_BEGINS.test(value))
}
