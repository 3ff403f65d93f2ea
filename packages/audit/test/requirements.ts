/** What the audit page demands: id → demand. */
export const requirements: Record<string, readonly [demand: string, source: string]> = {
  'audit-jsonl-chain': ['each line of the file carries the hash of the one before it', 'ASVS 16.4.2; decision 0003'],
  'audit-jsonl-no-loss': ['no event is lost however fast they come', 'ASVS 16.3.1'],
  'audit-jsonl-append-only': ['the file is only ever appended to', 'ASVS 16.4.2'],
  'audit-jsonl-reopen': ['the chain of a file that is there is continued', 'decision 0086'],
  'audit-jsonl-chains': [
    'several processes write one file, each a chain of its own, and the verifier follows all',
    'decision 0086',
  ],
  'audit-jsonl-rotation': [
    'a file that was renamed, deleted or truncated is opened again at its path, and nothing is lost',
    'design',
  ],
  'audit-jsonl-head': [
    'the last hash is published, and the verifier finds a file that does not hold it',
    'ASVS 16.4.2; decision 0086',
  ],
  'audit-jsonl-altered': ['the verifier finds the first altered line', 'ASVS 16.4.2'],
  'audit-jsonl-torn': ['the verifier names a line that a crash cut short, and passes the rest', 'design'],
  'audit-jsonl-parsers': [
    'the parsers of the file never throw, and print back identically what they accept',
    'ASVS 1.5.2',
  ],
  'audit-pino': ['the pino sink writes one line an event, at the level of its severity', 'ASVS 16.2.4'],
  'audit-prometheus': [
    'the Prometheus sink has exactly the named series, and a flood of unknown callers adds none',
    'ASVS 16.2.4',
  ],
  'audit-opentelemetry': [
    'the OpenTelemetry sink measures decisions and describes them on the active span',
    'ASVS 16.2.4',
  ],
  'audit-sentry': ['the Sentry sink leaves breadcrumbs, and captures unavailable as an error', 'ASVS 16.3.4'],
  'audit-ocsf': ['the OCSF sink maps to 3002, 3003 and 6003, valid in each class', 'OCSF; ASVS 16.2.4'],
  'operations-alerts': [
    'the alert rules load in Prometheus, fire when they must, and lead to the incident playbook',
    'design',
  ],
  'operations-dashboards': [
    'every query of the dashboards has data in Prometheus, and the files are what Grafana takes',
    'design',
  ],
}
