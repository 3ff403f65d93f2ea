-- What every store of Countersign calls. Times are milliseconds since the epoch, by the server's clock.
CREATE OR REPLACE FUNCTION countersign_now() RETURNS bigint LANGUAGE sql VOLATILE AS
$$ SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint $$;

-- The start of every call: one that comes too late does nothing, and a server that takes no writes vouches for nothing. Nor does
-- a transaction that keeps its first snapshot: after a wait for another call it would not see what that one did.
CREATE OR REPLACE FUNCTION countersign_begin(until bigint) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  now_ms bigint := countersign_now();
BEGIN
  IF current_setting('transaction_read_only') = 'on' THEN
    RAISE EXCEPTION 'the server takes no writes' USING ERRCODE = '25006';
  END IF;
  IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
    RAISE EXCEPTION 'transactions are % here, and must be read committed: set default_transaction_isolation for this user or pool',
      current_setting('transaction_isolation') USING ERRCODE = '25001';
  END IF;
  IF now_ms > until THEN RAISE EXCEPTION 'the call came too late and did nothing' USING ERRCODE = 'CS001'; END IF;
  RETURN now_ms;
END $$;

-- What a change answered, by the attempt: asked again because the answer was lost, it answers the same.
CREATE TABLE IF NOT EXISTS countersign_answers (
  attempt text PRIMARY KEY,
  answer jsonb NOT NULL,
  gone_at bigint NOT NULL
);
CREATE INDEX IF NOT EXISTS countersign_answers_gone ON countersign_answers (gone_at);

-- The start of a change. What it waits for ends at its deadline, and what it acknowledges is on disk, whatever the server's default
-- is. Returns what this attempt has answered before.
CREATE OR REPLACE FUNCTION countersign_attempt(until bigint, attempt_id text) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  PERFORM set_config('lock_timeout', greatest(1, until - countersign_begin(until))::text, true);
  IF current_setting('synchronous_commit') = 'off' THEN PERFORM set_config('synchronous_commit', 'on', true); END IF;
  PERFORM pg_advisory_xact_lock(hashtextextended('attempt ' || attempt_id, 0));
  RETURN (SELECT answer FROM countersign_answers WHERE attempt = attempt_id);
END $$;

-- The end of a change.
CREATE OR REPLACE FUNCTION countersign_keep(attempt_id text, given jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  INSERT INTO countersign_answers VALUES (attempt_id, coalesce(given, 'null'), countersign_now() + 600000);
  RETURN given;
END $$;

-- What is changed under this lock is changed by one call at a time. It ends with the call.
CREATE OR REPLACE FUNCTION countersign_lock(of_what text) RETURNS void LANGUAGE sql VOLATILE AS
$$ SELECT pg_advisory_xact_lock(hashtextextended(of_what, 0)) $$;

CREATE OR REPLACE FUNCTION countersign_answers_sweep(most integer) RETURNS integer LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  swept integer;
BEGIN
  DELETE FROM countersign_answers WHERE attempt IN (
    SELECT attempt FROM countersign_answers WHERE gone_at < countersign_now() ORDER BY gone_at LIMIT most FOR UPDATE SKIP LOCKED);
  GET DIAGNOSTICS swept = ROW_COUNT;
  RETURN swept;
END $$;

-- What was used once: SHA-256 of the nonce or proof, and the attempt that claimed it.
CREATE TABLE IF NOT EXISTS countersign_replay (
  namespace text NOT NULL,
  key bytea NOT NULL,
  attempt text NOT NULL,
  gone_at bigint NOT NULL,
  PRIMARY KEY (namespace, key)
);
CREATE INDEX IF NOT EXISTS countersign_replay_gone ON countersign_replay (gone_at);

-- Whether a claim is the first. Of two at once the second waits for the first one's row.
CREATE OR REPLACE FUNCTION countersign_replay_claim(ns text, until bigint, p jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  now_ms bigint := countersign_begin(until);
BEGIN
  INSERT INTO countersign_replay AS known
  VALUES (ns, decode(p->>'key', 'hex'), p->>'attempt', now_ms + (p->>'ttl')::bigint)
  ON CONFLICT (namespace, key) DO UPDATE SET attempt = excluded.attempt,
    gone_at = CASE WHEN known.attempt = excluded.attempt THEN known.gone_at ELSE excluded.gone_at END
  WHERE known.gone_at <= countersign_now() OR known.attempt = excluded.attempt;
  RETURN to_jsonb(FOUND);
END $$;

CREATE OR REPLACE FUNCTION countersign_replay_sweep(most integer) RETURNS integer LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  swept integer;
BEGIN
  DELETE FROM countersign_replay WHERE (namespace, key) IN (
    SELECT namespace, key FROM countersign_replay WHERE gone_at < countersign_now() ORDER BY gone_at LIMIT most FOR UPDATE SKIP LOCKED);
  GET DIAGNOSTICS swept = ROW_COUNT;
  RETURN swept;
END $$;
