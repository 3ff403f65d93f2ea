/** What `@countersign/testing` must do: id → demand. */
export const requirements: Record<string, readonly [demand: string, source: string]> = {
  'testing-reset-audit': ['the emitter of the process can be made as new between tests', 'design'],
  'testing-recorder': ['recordAudit records what gates report, and fakeClock moves their time', 'design'],
  'testing-signed-request': [
    'signedRequest signs as a service would, or with a defect that is refused for what it is',
    'RFC 9421 §3.1',
  ],
  'testing-issuer': ['testIssuer has keys, tokens of every shape, and outages on demand', 'RFC 9068 §2; RFC 7517 §5'],
  'testing-hanging-redis': ['hangingRedis stops, delays and resets the connections to a Redis', 'design'],
  'testing-contracts': [
    'the store contracts hold for every store of the suite, and find a store that breaks a rule',
    'design',
  ],
  'testing-gate-contract': [
    'the contract of gates holds for every gate of the suite, and finds a gate that breaks a rule',
    'design',
  ],
  'testing-runners': ['the contracts run under Jest, Vitest and node:test', 'design'],
}
