export declare function startIssuer(): Promise<{
  url: string
  token(audience: string): string
  close(): Promise<void>
}>
