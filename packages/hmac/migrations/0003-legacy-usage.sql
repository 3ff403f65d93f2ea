-- Who still uses an old key: one row a gate and caller.
CREATE TABLE IF NOT EXISTS countersign_legacy_usage (
  gate text NOT NULL,
  caller text NOT NULL,
  accepted bigint NOT NULL DEFAULT 0,
  refused bigint NOT NULL DEFAULT 0,
  last_seen_at timestamptz NOT NULL,
  PRIMARY KEY (gate, caller)
);
