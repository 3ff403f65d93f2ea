/**
 * The decision paths of each package, in parts: sources, and the tests that are run for each mutant of them. A part's tests
 * are few and quick: mutants of module-level constants are tried against all of them.
 */
export const TARGETS = {
  core: [
    { sources: ['gate/verdict', 'remember-on'], tests: ['verdict'] },
    { sources: ['request/authorization'], tests: ['authorization'] },
    { sources: ['request/message'], tests: ['message'] },
  ],
  hmac: [
    {
      sources: ['verify'],
      tests: [
        'x-headers',
        'x-headers-nonce',
        'replay',
        'order',
        'diagnosis',
        'keys',
        'unseen-body',
        'events',
        'alike-bodies',
      ],
    },
    { sources: ['mac', 'single-use', 'secret-key', 'read'], tests: ['mac', 'x-headers', 'keys', 'replay'] },
    { sources: ['formats/x-headers'], tests: ['x-headers', 'x-headers-nonce', 'order', 'keys'] },
    { sources: ['formats/grammar'], tests: ['grammar'] },
  ],
  'mcp-credential': [
    { sources: ['token', 'base62'], tests: ['token-form'] },
    { sources: ['read', 'verify'], tests: ['read', 'gate'] },
    { sources: ['tools/rules'], tests: ['tool-rules'] },
  ],
}

/** The score below which a run of a whole package fails, in percent: what has been reached is kept. */
export const FLOORS = { core: 0, hmac: 0, 'mcp-credential': 0 }
