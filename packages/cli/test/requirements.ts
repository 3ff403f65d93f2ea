export const requirements: Record<string, string> = {
  'cli-real-stores': 'each command is run as a process, on real Redis and PostgreSQL',
  'cli-bad-inputs':
    'unreachable store, wrong key-encryption key, unknown caller, bad URL: one line that says what is wrong and what to do, exit code not 0, no stack',
  'cli-smoke-broken-metadata': 'oauth smoke against a broken metadata document of each kind',
  'cli-dev': 'what dev prints is granted when it is pasted, by its own gates and by those of an app that it names',
  'cli-smoke-demo': 'oauth smoke against the demo',
  'cli-smoke-sdk-server': "oauth smoke against the MCP SDK's own example server",
  'cli-audit-torn-line':
    'the audit file after kill -9 in the middle of a write: audit verify names the torn last line and passes the rest',
  'cli-audit-altered-line': 'an altered line of the audit file is found',
  'cli-smoke-dpop': 'smoke --dpop does what a client with a bound token does, and what a thief of it would',
  'cli-inspect-proof': 'inspect --proof says whether a proof is for this request, this token and its key',
}
