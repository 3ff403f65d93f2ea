-- Notes that a thread is alive. False when it has no credentials.
CREATE OR REPLACE FUNCTION countersign_mcp_touch(ns text, until bigint, p jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  now_ms bigint := countersign_begin(until);
  thread_hash text := p->>'thread';
  max_ms bigint := p->>'max';
  coalesce_ms bigint := p->>'coalesce';
  retention_ms bigint := p->>'retention';
  limit_ms bigint := now_ms + (p->>'idle')::bigint + coalesce_ms;
  known countersign_mcp_threads;
BEGIN
  IF NOT countersign_mcp_has(ns, 't' || thread_hash) THEN RETURN 'false'; END IF;
  IF NOT (p->>'onTouch')::boolean THEN RETURN 'true'; END IF;
  PERFORM set_config('lock_timeout', greatest(1, until - now_ms)::text, true);
  PERFORM countersign_lock('mcp ' || ns || ' ' || thread_hash);
  SELECT * INTO known FROM countersign_mcp_threads WHERE namespace = ns AND thread = thread_hash;
  IF now_ms <= known.alive_until AND now_ms <= known.touched_at + max_ms THEN
    IF limit_ms - known.alive_until < coalesce_ms THEN RETURN 'true'; END IF;
    UPDATE countersign_mcp_threads SET alive_until = limit_ms, touched_at = now_ms, gone_at = greatest(gone_at, limit_ms + retention_ms)
    WHERE namespace = ns AND thread = thread_hash;
    RETURN 'true';
  END IF;
  -- How long the aliveness before kept a credential is written down: it says how long it is known.
  UPDATE countersign_mcp_credentials c SET expires_at = j.expires_at, idle_at = j.idle_at,
    gone_at = greatest(c.gone_at, least(j.expires_at, j.idle_at) + retention_ms)
  FROM countersign_mcp_judged(ns, thread_hash, thread_hash || '~', now_ms, max_ms, retention_ms, true) j
  WHERE known.alive_from IS NOT NULL AND c.namespace = ns AND c.id = j.id AND j.holder = j.id AND j.is_held;
  INSERT INTO countersign_mcp_threads AS t VALUES (ns, thread_hash, now_ms, limit_ms, now_ms, NULL, limit_ms + retention_ms)
  ON CONFLICT (namespace, thread) DO UPDATE SET alive_from = now_ms, alive_until = limit_ms, touched_at = now_ms,
    gone_at = greatest(t.gone_at, excluded.gone_at);
  RETURN 'true';
END $$;

-- Whether there is a credential in a scope that its last end has not ended.
CREATE OR REPLACE FUNCTION countersign_mcp_has(ns text, of_scope text) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
DECLARE
  hash text := substr(of_scope, 2);
  ended bigint := coalesce((SELECT max(generation) FROM countersign_mcp_ends WHERE namespace = ns AND scope IN (of_scope, 'a')), 0);
BEGIN
  RETURN CASE left(of_scope, 1)
    WHEN 't' THEN EXISTS (SELECT 1 FROM countersign_mcp_credentials
      WHERE namespace = ns AND id >= hash AND id <= hash || '~' AND generation > ended)
    WHEN 'p' THEN EXISTS (SELECT 1 FROM countersign_mcp_credentials
      WHERE namespace = ns AND substr(id, 12, 9) = hash AND generation > ended)
    WHEN 's' THEN EXISTS (SELECT 1 FROM countersign_mcp_credentials
      WHERE namespace = ns AND substr(id, 21, 10) = hash AND generation > ended)
    ELSE EXISTS (SELECT 1 FROM countersign_mcp_credentials WHERE namespace = ns AND generation > ended)
  END;
END $$;

-- Revokes one credential, or one alias.
CREATE OR REPLACE FUNCTION countersign_mcp_revoke(ns text, until bigint, attempt text, p jsonb)
RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  answer jsonb := countersign_attempt(until, attempt);
  now_ms bigint := countersign_now();
  own_id text := p->>'id';
  was_revoked boolean;
BEGIN
  IF answer IS NOT NULL THEN RETURN answer; END IF;
  SELECT is_revoked INTO was_revoked FROM countersign_mcp_credentials WHERE namespace = ns AND id = own_id FOR UPDATE;
  IF NOT FOUND THEN
    -- It may have died before it was confirmed, and its issuer may be about to write it again: the id is taken from now on.
    INSERT INTO countersign_mcp_credentials (namespace, id, digest, subject, generation, issued_at, expires_at, idle_at, is_revoked, gone_at)
    VALUES (ns, own_id, '', '', 0, now_ms, now_ms, now_ms, true, now_ms + (p->>'retention')::bigint)
    ON CONFLICT (namespace, id) DO UPDATE SET is_revoked = true;
    RETURN countersign_keep(attempt, 'false');
  END IF;
  IF was_revoked THEN RETURN 'false'; END IF;
  -- One that is forgotten, and has not been swept, is revoked all the same: its issuer may be about to write it again.
  answer := to_jsonb(EXISTS (SELECT 1 FROM countersign_mcp_judged(ns, own_id, own_id, now_ms, (p->>'max')::bigint,
    (p->>'retention')::bigint, (p->>'onTouch')::boolean)));
  UPDATE countersign_mcp_credentials SET is_revoked = true,
    gone_at = CASE WHEN is_held THEN least(gone_at, now_ms + (p->>'retention')::bigint) ELSE now_ms + (p->>'retention')::bigint END
  WHERE namespace = ns AND id = own_id;
  RETURN countersign_keep(attempt, answer);
END $$;

-- Ends a scope, and with it every credential that was issued in it before.
CREATE OR REPLACE FUNCTION countersign_mcp_revoke_scope(ns text, until bigint, attempt text, p jsonb)
RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  answer jsonb := countersign_attempt(until, attempt);
  of_scope text := p->>'scope';
BEGIN
  IF answer IS NOT NULL THEN RETURN answer; END IF;
  -- An issue for the thread comes before it, and is ended, or after it, and finds that the thread is retired.
  IF left(of_scope, 1) = 't' THEN PERFORM countersign_lock('mcp ' || ns || ' ' || substr(of_scope, 2)); END IF;
  -- What is carried meanwhile would have a number after this end, and not be ended.
  PERFORM countersign_lock('mcp ends ' || ns);
  PERFORM countersign_begin(until);
  answer := to_jsonb(countersign_mcp_has(ns, of_scope));
  INSERT INTO countersign_mcp_ends AS e VALUES (ns, of_scope, nextval('countersign_mcp_generation'), countersign_now())
  ON CONFLICT (namespace, scope) DO UPDATE SET generation = greatest(e.generation, excluded.generation), kept_from = excluded.kept_from;
  IF p ? 'block' THEN
    INSERT INTO countersign_mcp_threads AS t (namespace, thread, retired_until, gone_at)
    VALUES (ns, substr(of_scope, 2), countersign_now() + (p->>'block')::bigint, countersign_now() + (p->>'block')::bigint)
    ON CONFLICT (namespace, thread) DO UPDATE SET retired_until = excluded.retired_until, alive_from = NULL, alive_until = NULL,
      touched_at = NULL, gone_at = greatest(t.gone_at, excluded.gone_at);
  END IF;
  RETURN countersign_keep(attempt, answer);
END $$;

-- A page of what is neither revoked nor superseded, in the order of ids.
CREATE OR REPLACE FUNCTION countersign_mcp_list(ns text, until bigint, p jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  now_ms bigint := countersign_begin(until);
BEGIN
  RETURN coalesce((SELECT jsonb_agg(page.found) FROM (
    SELECT jsonb_build_array(c.standing, '', c.id, c.subject, c.issued_at, c.expires_at, c.idle_at, now_ms) AS found
    FROM countersign_mcp_judged(ns, p->>'thread', (p->>'thread') || '~', now_ms, (p->>'max')::bigint, (p->>'retention')::bigint,
      (p->>'onTouch')::boolean) c
    WHERE c.id = c.holder AND c.is_held AND c.standing NOT IN ('revoked', 'superseded') AND c.id > p->>'after'
      AND (p->>'provider' IS NULL OR substr(c.id, 12, 9) = p->>'provider')
    ORDER BY c.id LIMIT (p->>'limit')::bigint) page), '[]');
END $$;

CREATE OR REPLACE FUNCTION countersign_mcp_count(ns text, until bigint, p jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  now_ms bigint := countersign_begin(until);
BEGIN
  RETURN (SELECT to_jsonb(count(*)) FROM countersign_mcp_judged(
    ns, '', '~', now_ms, (p->>'max')::bigint, (p->>'retention')::bigint, (p->>'onTouch')::boolean) c
    WHERE c.is_held AND c.standing NOT IN ('revoked', 'superseded'));
END $$;

-- The key that there is, or this one from now on.
CREATE OR REPLACE FUNCTION countersign_mcp_session_key(ns text, until bigint, p jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  known text;
BEGIN
  PERFORM countersign_begin(until);
  SELECT session_key INTO known FROM countersign_mcp_keys WHERE namespace = ns;
  IF known IS NULL THEN
    INSERT INTO countersign_mcp_keys VALUES (ns, p->>'key') ON CONFLICT (namespace) DO NOTHING;
    SELECT session_key INTO known FROM countersign_mcp_keys WHERE namespace = ns;
  END IF;
  RETURN to_jsonb(known);
END $$;

-- Deletes what has been dead for its retention. An alias stays as long as the credential that it stands for, and whatever a
-- thread's aliveness may have kept, as long as that is remembered. An end stays for a day, and as long as there is what it ended.
CREATE OR REPLACE FUNCTION countersign_mcp_sweep(most integer) RETURNS integer LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  now_ms bigint := countersign_now();
  due record;
  swept integer := 0;
BEGIN
  FOR due IN
    SELECT c.namespace, c.id, greatest(h.gone_at, CASE WHEN c.is_revoked THEN NULL ELSE t.gone_at END) AS later
    FROM countersign_mcp_credentials c
    LEFT JOIN countersign_mcp_credentials h ON h.namespace = c.namespace AND h.id = c.holder
    LEFT JOIN countersign_mcp_threads t ON t.namespace = c.namespace AND t.thread = left(coalesce(c.holder, c.id), 11)
      AND t.alive_from IS NOT NULL
    WHERE c.gone_at < now_ms ORDER BY c.gone_at LIMIT most FOR UPDATE OF c SKIP LOCKED
  LOOP
    swept := swept + 1;
    IF due.later >= now_ms THEN
      UPDATE countersign_mcp_credentials SET gone_at = due.later WHERE namespace = due.namespace AND id = due.id;
    ELSE
      DELETE FROM countersign_mcp_credentials WHERE namespace = due.namespace AND id = due.id;
    END IF;
  END LOOP;
  DELETE FROM countersign_mcp_threads WHERE (namespace, thread) IN (
    SELECT namespace, thread FROM countersign_mcp_threads WHERE gone_at < now_ms ORDER BY gone_at LIMIT most FOR UPDATE SKIP LOCKED);
  -- One that is still needed is looked at again in a day.
  FOR due IN
    SELECT e.namespace, e.scope, CASE left(e.scope, 1)
      WHEN 't' THEN EXISTS (SELECT 1 FROM countersign_mcp_credentials c WHERE c.namespace = e.namespace
        AND c.id >= substr(e.scope, 2) AND c.id <= substr(e.scope, 2) || '~' AND c.generation < e.generation)
      WHEN 'p' THEN EXISTS (SELECT 1 FROM countersign_mcp_credentials c WHERE c.namespace = e.namespace
        AND substr(c.id, 12, 9) = substr(e.scope, 2) AND c.generation < e.generation)
      WHEN 's' THEN EXISTS (SELECT 1 FROM countersign_mcp_credentials c WHERE c.namespace = e.namespace
        AND substr(c.id, 21, 10) = substr(e.scope, 2) AND c.generation < e.generation)
      ELSE EXISTS (SELECT 1 FROM countersign_mcp_credentials c WHERE c.namespace = e.namespace AND c.generation < e.generation)
    END AS is_needed
    FROM countersign_mcp_ends e
    WHERE e.kept_from < now_ms - 86400000 ORDER BY e.kept_from LIMIT most FOR UPDATE SKIP LOCKED
  LOOP
    IF due.is_needed THEN
      UPDATE countersign_mcp_ends SET kept_from = now_ms WHERE namespace = due.namespace AND scope = due.scope;
    ELSE
      DELETE FROM countersign_mcp_ends WHERE namespace = due.namespace AND scope = due.scope;
    END IF;
  END LOOP;
  RETURN swept;
END $$;
