const TOKEN_BEGINS = /^[lstd]\d{1,2}\./

/**
 * Whether `s` of a query is for the routes: a link or another token of ours, whole or damaged. Any other `s` on the same path,
 * such as a search, is the app's.
 */
export function isLinkQuery(query: { readonly s?: unknown } | undefined): boolean {
  return [query?.s].flat().some((value) => typeof value === 'string' && TOKEN_BEGINS.test(value))
}
