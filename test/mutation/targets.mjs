/**
 * The decision paths of each package, in parts: sources, and the tests that are run for each mutant of them. A part's tests
 * are few and quick: mutants of module-level constants are tried against all of them. `floor` is the score in percent below
 * which a run fails, so that what has been reached is kept; a part without one has yet to be measured.
 */
export const TARGETS = {
  core: [
    { sources: ['gate/verdict'], tests: ['verdict'], floor: 100 },
    { sources: ['remember-on'], tests: ['verdict'], floor: 80 },
    { sources: ['request/authorization'], tests: ['authorization'], floor: 98 },
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
      floor: 90,
    },
    { sources: ['formats/grammar'], tests: ['grammar'], floor: 100 },
    { sources: ['mac', 'single-use', 'secret-key', 'read'], tests: ['mac', 'x-headers', 'keys', 'replay'] },
    { sources: ['formats/x-headers'], tests: ['x-headers', 'x-headers-nonce', 'order', 'keys'] },
  ],
  'mcp-credential': [
    { sources: ['token'], tests: ['token-form'], floor: 95 },
    { sources: ['base62'], tests: ['token-form'], floor: 96 },
    { sources: ['tools/rules'], tests: ['tool-rules'], floor: 98 },
    { sources: ['read', 'verify'], tests: ['read', 'gate'] },
  ],
}
