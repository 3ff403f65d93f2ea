export const requirements: Record<string, readonly [demand: string, source: string]> = {
  'cli-real-stores': ['each command is run as a process, on real Redis and PostgreSQL', 'design'],
  'cli-bad-inputs': [
    'unreachable store, wrong key-encryption key, unknown caller, bad URL: one line that says what is wrong and what to do, exit code not 0, no stack',
    'ASVS 16.5.1',
  ],
  'cli-smoke-broken-metadata': [
    'oauth smoke against a broken metadata document of each kind',
    'RFC 9728 §3.3; RFC 8414 §3.3; MCP 2025-11-25, authorization',
  ],
  'cli-dev': [
    'what dev prints is granted when it is pasted, by its own gates and by those of an app that it names',
    'design',
  ],
  'cli-smoke-demo': ['oauth smoke against the demo', 'MCP 2025-11-25, authorization'],
  'cli-smoke-sdk-server': ["oauth smoke against the MCP SDK's own example server", 'MCP 2025-11-25, authorization'],
  'cli-audit-torn-line': [
    'the audit file after kill -9 in the middle of a write: audit verify names the torn last line and passes the rest',
    'design',
  ],
  'cli-audit-altered-line': ['an altered line of the audit file is found', 'ASVS 16.4.2'],
  'cli-smoke-dpop': [
    'smoke --dpop does what a client with a bound token does, and what a thief of it would',
    'RFC 9449 §7.1',
  ],
  'cli-inspect-proof': [
    'inspect --proof says whether a proof is for this request, this token and its key',
    'RFC 9449 §4.3',
  ],
}
