/** What the audit page demands: id → demand. */
export const requirements: Record<string, string> = {
  'audit-jsonl-chain': 'each line of the file carries the hash of the one before it',
  'audit-jsonl-no-loss': 'no event is lost however fast they come',
  'audit-jsonl-append-only': 'the file is only ever appended to',
  'audit-jsonl-reopen': 'the chain of a file that is there is continued',
  'audit-jsonl-chains': 'several processes write one file, each a chain of its own, and the verifier follows all',
  'audit-jsonl-rotation':
    'a file that was renamed, deleted or truncated is opened again at its path, and nothing is lost',
  'audit-jsonl-head': 'the last hash is published, and the verifier finds a file that does not hold it',
  'audit-jsonl-altered': 'the verifier finds the first altered line',
  'audit-jsonl-torn': 'the verifier names a line that a crash cut short, and passes the rest',
  'audit-jsonl-parsers': 'the parsers of the file never throw, and print back identically what they accept',
  'audit-pino': 'the pino sink writes one line an event, at the level of its severity',
  'audit-prometheus': 'the Prometheus sink has exactly the named series, and a flood of unknown callers adds none',
  'audit-opentelemetry': 'the OpenTelemetry sink measures decisions and describes them on the active span',
  'audit-sentry': 'the Sentry sink leaves breadcrumbs, and captures unavailable as an error',
  'audit-ocsf': 'the OCSF sink maps to 3002, 3003 and 6003, valid in each class',
}
