-- Credentials of agents. An id begins with the hashes of its thread (11 letters), its provider (9) and its session (10).
-- Times are milliseconds since the epoch, by the server's clock.
CREATE SEQUENCE IF NOT EXISTS countersign_mcp_generation;

CREATE TABLE IF NOT EXISTS countersign_mcp_credentials (
  namespace text NOT NULL,
  id text COLLATE "C" NOT NULL,
  -- SHA-256 in hex; empty: an id that was revoked before it was written, and is taken.
  digest text NOT NULL,
  -- What the credential is for, as JSON.
  subject text NOT NULL,
  -- Grows with each issue: of two credentials the one with the greater is the newer.
  generation bigint NOT NULL,
  issued_at bigint NOT NULL,
  expires_at bigint NOT NULL,
  idle_at bigint NOT NULL,
  absolute_at bigint,
  -- Set when a newer one took its place.
  usable_until bigint,
  -- Of an alias: the credential that its token stands for.
  holder text COLLATE "C",
  is_revoked boolean NOT NULL DEFAULT false,
  -- False until its issue is confirmed, or it is used: until then it dies soon.
  is_held boolean NOT NULL DEFAULT false,
  -- What its issue did to the others; null until it is confirmed.
  replaced jsonb,
  gone_at bigint NOT NULL,
  PRIMARY KEY (namespace, id)
) WITH (fillfactor = 80);
CREATE INDEX IF NOT EXISTS countersign_mcp_credentials_provider
  ON countersign_mcp_credentials (namespace, substr(id, 12, 9), generation);
CREATE INDEX IF NOT EXISTS countersign_mcp_credentials_session
  ON countersign_mcp_credentials (namespace, substr(id, 21, 10), generation);
CREATE INDEX IF NOT EXISTS countersign_mcp_credentials_generation ON countersign_mcp_credentials (namespace, generation);
CREATE INDEX IF NOT EXISTS countersign_mcp_credentials_gone ON countersign_mcp_credentials (gone_at);

-- The ends of threads (t and hash), providers (p), sessions (s) and everything (a): what was issued before is revoked. One
-- row, however many credentials there are.
CREATE TABLE IF NOT EXISTS countersign_mcp_ends (
  namespace text NOT NULL,
  scope text COLLATE "C" NOT NULL,
  generation bigint NOT NULL,
  -- When it was made, or found to be needed still.
  kept_from bigint NOT NULL,
  PRIMARY KEY (namespace, scope)
);
CREATE INDEX IF NOT EXISTS countersign_mcp_ends_kept ON countersign_mcp_ends (kept_from);

-- Threads that the host keeps alive, or for which nothing may be issued.
CREATE TABLE IF NOT EXISTS countersign_mcp_threads (
  namespace text NOT NULL,
  thread text COLLATE "C" NOT NULL,
  alive_from bigint,
  alive_until bigint,
  touched_at bigint,
  retired_until bigint,
  gone_at bigint NOT NULL,
  PRIMARY KEY (namespace, thread)
);
CREATE INDEX IF NOT EXISTS countersign_mcp_threads_gone ON countersign_mcp_threads (gone_at);

-- With what MCP sessions are bound.
CREATE TABLE IF NOT EXISTS countersign_mcp_keys (namespace text PRIMARY KEY, session_key text NOT NULL);

-- All that a decision checks, of the ids in a range: each with the standing, the subject and the deadlines of the credential
-- that its token stands for. A touch extends a life that had not ended when the thread's aliveness began; it revives nothing.
CREATE OR REPLACE FUNCTION countersign_mcp_judged(
  ns text, from_id text, to_id text, now_ms bigint, max_ms bigint, retention_ms bigint, on_touch boolean)
RETURNS TABLE (
  id text, digest text, holder text, is_held boolean, own_generation bigint, subject text, issued_at bigint, expires_at bigint,
  idle_at bigint, absolute_at bigint, stored_expires_at bigint, stored_idle_at bigint, usable_until bigint, standing text)
LANGUAGE sql STABLE AS $$
  SELECT c.id, c.digest, h.id, c.is_held, c.generation, h.subject, h.issued_at, l.expires_at, l.idle_at, h.absolute_at,
    h.expires_at, h.idle_at, h.usable_until,
    CASE
      WHEN c.is_revoked OR h.is_revoked OR EXISTS (
        SELECT 1 FROM countersign_mcp_ends e
        WHERE e.namespace = ns AND e.generation > h.generation
          AND e.scope IN ('t' || left(h.id, 11), 'p' || substr(h.id, 12, 9), 's' || substr(h.id, 21, 10), 'a')
      ) THEN 'revoked'
      WHEN h.usable_until < now_ms THEN 'superseded'
      WHEN l.expires_at < now_ms THEN 'expired'
      WHEN l.idle_at < now_ms THEN 'idle'
      ELSE 'live'
    END
  FROM countersign_mcp_credentials c
  JOIN countersign_mcp_credentials h ON h.namespace = ns AND h.id = coalesce(c.holder, c.id)
  LEFT JOIN countersign_mcp_threads t
    ON t.namespace = ns AND t.thread = left(h.id, 11) AND on_touch AND t.alive_from <= h.idle_at AND t.alive_from <= h.expires_at
  CROSS JOIN LATERAL (SELECT
    CASE WHEN t.alive_from IS NULL THEN h.expires_at
      ELSE greatest(h.expires_at, least(t.touched_at + max_ms, h.absolute_at)) END AS expires_at,
    greatest(h.idle_at, t.alive_until) AS idle_at) l
  WHERE c.namespace = ns AND c.id >= from_id AND c.id <= to_id AND c.digest <> ''
    -- What has not been swept yet is gone all the same.
    AND greatest(h.gone_at, CASE WHEN t.alive_from IS NULL THEN 0 ELSE least(l.expires_at, l.idle_at) + retention_ms END) >= now_ms
$$;

-- Looks one credential up, and slides it. Null when there is none; 1 of a secret that is not the credential's. mode: use, revive (an
-- idle one too), peek. What a slide writes may be lost in a crash, so nobody waits for it.
CREATE OR REPLACE FUNCTION countersign_mcp_resolve(ns text, until bigint, p jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  now_ms bigint := countersign_begin(until);
  mode text := p->>'mode';
  max_ms bigint := p->>'max';
  coalesce_ms bigint := p->>'coalesce';
  retention_ms bigint := p->>'retention';
  c record;
  wanted_idle bigint;
  wanted_expires bigint;
BEGIN
  SELECT * INTO c FROM countersign_mcp_judged(ns, p->>'id', p->>'id', now_ms, max_ms, retention_ms, (p->>'onTouch')::boolean);
  IF NOT FOUND THEN RETURN NULL; END IF;
  IF mode <> 'peek' AND c.digest <> p->>'digest' THEN RETURN '1'; END IF;
  IF mode <> 'peek' AND NOT c.is_held AND c.standing = 'live' THEN
    -- It is presented, so its issuing was acknowledged.
    UPDATE countersign_mcp_credentials SET is_held = true, gone_at = least(expires_at, idle_at) + retention_ms
    WHERE namespace = ns AND id = c.id;
  END IF;
  IF (mode = 'use' AND (p->>'onUse')::boolean AND c.standing = 'live') OR (mode = 'revive' AND c.standing IN ('live', 'idle')) THEN
    c.standing := 'live';
    wanted_idle := greatest(c.idle_at, now_ms + (p->>'idle')::bigint + coalesce_ms);
    wanted_expires := greatest(c.expires_at, least(now_ms + max_ms, c.absolute_at));
    IF wanted_idle - c.stored_idle_at >= coalesce_ms OR wanted_expires - c.stored_expires_at >= coalesce_ms THEN
      PERFORM set_config('synchronous_commit', 'off', true);
      c.idle_at := wanted_idle;
      c.expires_at := wanted_expires;
      UPDATE countersign_mcp_credentials SET idle_at = greatest(idle_at, wanted_idle), expires_at = greatest(expires_at, wanted_expires),
        gone_at = greatest(gone_at, least(wanted_idle, wanted_expires) + retention_ms)
      WHERE namespace = ns AND id = c.holder AND NOT is_revoked;
    END IF;
  END IF;
  RETURN jsonb_build_array(c.standing, c.digest, c.holder, c.subject, c.issued_at, c.expires_at, c.idle_at, now_ms);
END $$;

-- How many of a thread's credentials are usable, or idle and may be revived, but for those that an issue replaces.
CREATE OR REPLACE FUNCTION countersign_mcp_wanted(ns text, p jsonb, now_ms bigint) RETURNS bigint LANGUAGE sql STABLE AS $$
  SELECT count(*) FROM countersign_mcp_judged(
    ns, left(p->>'id', 11), left(p->>'id', 11) || '~', now_ms, (p->>'max')::bigint, (p->>'retention')::bigint, (p->>'onTouch')::boolean) c
  WHERE c.id <> p->>'id' AND (c.standing = 'live' OR c.standing = 'idle' AND (p->>'revivesIdle')::boolean)
    AND NOT ((p->>'endsOthers')::boolean AND substr(c.id, 12, 9) = substr(p->>'id', 12, 9))
$$;

-- First step of an issue: writes one credential that nobody holds yet. It dies in a minute unless it is confirmed or used.
CREATE OR REPLACE FUNCTION countersign_mcp_issue(ns text, until bigint, attempt text, p jsonb)
RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  answer jsonb := countersign_attempt(until, attempt);
  thread_hash text := left(p->>'id', 11);
  now_ms bigint;
  absolute_ms bigint;
  expires_ms bigint;
  idle_ms bigint;
  own bigint;
BEGIN
  IF answer IS NOT NULL THEN RETURN answer; END IF;
  PERFORM countersign_lock('mcp ' || ns || ' ' || thread_hash);
  now_ms := countersign_begin(until);
  IF EXISTS (SELECT 1 FROM countersign_mcp_threads t WHERE t.namespace = ns AND t.thread = thread_hash AND t.retired_until >= now_ms) THEN
    RETURN '["retired"]';
  END IF;
  IF EXISTS (SELECT 1 FROM countersign_mcp_credentials c WHERE c.namespace = ns AND c.id = p->>'id') THEN RETURN '["taken"]'; END IF;
  IF countersign_mcp_wanted(ns, p, now_ms) >= (p->>'most')::bigint THEN RETURN '["crowded"]'; END IF;
  own := nextval('countersign_mcp_generation');
  absolute_ms := now_ms + (p->>'absolute')::bigint;
  expires_ms := least(now_ms + (p->>'max')::bigint, absolute_ms);
  idle_ms := now_ms + (p->>'idle')::bigint + (p->>'coalesce')::bigint;
  INSERT INTO countersign_mcp_credentials (namespace, id, digest, subject, generation, issued_at, expires_at, idle_at, absolute_at, gone_at)
  VALUES (ns, p->>'id', p->>'digest', p->>'subject', own, now_ms, expires_ms, idle_ms, absolute_ms, now_ms + 60000);
  RETURN countersign_keep(attempt, jsonb_build_array('issued', now_ms, expires_ms, idle_ms, absolute_ms, own));
END $$;

-- Second step, when the first is acknowledged and recorded: keeps the credential, and supersedes or carries the older ones of its
-- thread and provider. One that died before is written again as it was: what ended it since ends it still. Asked again, it answers
-- the same.
CREATE OR REPLACE FUNCTION countersign_mcp_confirm(ns text, until bigint, attempt text, p jsonb)
RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  answer jsonb := countersign_attempt(until, attempt);
  own_id text := p->>'id';
  first_id text := left(p->>'id', 20);
  max_ms bigint := p->>'max';
  retention_ms bigint := p->>'retention';
  on_touch boolean := p->>'onTouch';
  overlap_ms bigint := p->>'overlap';
  now_ms bigint;
  own record;
  taken text[] := '{}';
BEGIN
  IF answer IS NOT NULL THEN RETURN answer; END IF;
  PERFORM countersign_lock('mcp ' || ns || ' ' || left(own_id, 11));
  -- An end under way may be of what this carries, and is seen when it is done.
  IF p->>'onExisting' = 'carry' THEN PERFORM pg_advisory_xact_lock_shared(hashtextextended('mcp ends ' || ns, 0)); END IF;
  now_ms := countersign_begin(until);
  INSERT INTO countersign_mcp_credentials (namespace, id, digest, subject, generation, issued_at, expires_at, idle_at, absolute_at, gone_at)
  VALUES (ns, own_id, p->>'digest', p->>'subject', (p->>'generation')::bigint, (p->>'issuedAt')::bigint, (p->>'expiresAt')::bigint,
    (p->>'idleAt')::bigint, (p->>'absoluteAt')::bigint, now_ms + 60000)
  ON CONFLICT (namespace, id) DO UPDATE SET gone_at = greatest(countersign_mcp_credentials.gone_at, excluded.gone_at);
  SELECT c.replaced INTO answer FROM countersign_mcp_credentials c WHERE c.namespace = ns AND c.id = own_id;
  IF answer IS NOT NULL THEN RETURN answer; END IF;
  SELECT * INTO own FROM countersign_mcp_judged(ns, own_id, own_id, now_ms, max_ms, retention_ms, on_touch);
  -- Ended meanwhile, by whatever ends a credential: it replaces nothing.
  IF NOT FOUND OR own.standing IN ('revoked', 'superseded') THEN RETURN '["done", [], []]'; END IF;
  IF countersign_mcp_wanted(ns, p, now_ms) >= (p->>'most')::bigint THEN RETURN '["crowded"]'; END IF;
  IF p->>'onExisting' <> 'keep' THEN
    SELECT coalesce(array_agg(c.id ORDER BY c.own_generation), '{}') INTO taken
    FROM countersign_mcp_judged(ns, first_id, first_id || '~', now_ms, max_ms, retention_ms, on_touch) c
    JOIN countersign_mcp_credentials h ON h.namespace = ns AND h.id = c.holder
    WHERE c.id <> own_id AND h.generation < own.own_generation AND CASE p->>'onExisting'
      WHEN 'supersede' THEN c.standing NOT IN ('revoked', 'superseded')
      -- One in its overlap ends with that: to be carried gives no time.
      ELSE c.standing = 'live' AND h.usable_until IS NULL END;
  END IF;
  IF p->>'onExisting' = 'supersede' THEN
    UPDATE countersign_mcp_credentials SET usable_until =
      least(usable_until, CASE overlap_ms WHEN 0 THEN now_ms - 1 ELSE now_ms + overlap_ms END)
    WHERE namespace = ns AND id = ANY(taken);
    answer := jsonb_build_array('done', to_jsonb(taken), '[]'::jsonb);
  ELSE
    UPDATE countersign_mcp_credentials SET holder = own_id WHERE namespace = ns AND id = ANY(taken);
    answer := jsonb_build_array('done', '[]'::jsonb, to_jsonb(taken));
  END IF;
  UPDATE countersign_mcp_credentials SET is_held = true, replaced = answer, gone_at = least(own.expires_at, own.idle_at) + retention_ms
  WHERE namespace = ns AND id = own_id;
  RETURN answer;
END $$;
