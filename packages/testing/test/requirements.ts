/** What `@countersign/testing` must do: id → demand. */
export const requirements: Record<string, string> = {
  'testing-reset-audit': 'the emitter of the process can be made as new between tests',
  'testing-recorder': 'recordAudit records what gates report, and fakeClock moves their time',
  'testing-signed-request': 'signedRequest signs as a service would, or with a defect that is refused for what it is',
  'testing-issuer': 'testIssuer has keys, tokens of every shape, and outages on demand',
  'testing-hanging-redis': 'hangingRedis stops, delays and resets the connections to a Redis',
  'testing-contracts': 'the store contracts hold for every store of the suite, and find a store that breaks a rule',
  'testing-gate-contract':
    'the contract of gates holds for every gate of the suite, and finds a gate that breaks a rule',
  'testing-runners': 'the contracts run under Jest, Vitest and node:test',
}
