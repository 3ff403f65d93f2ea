-- What the functions of links, sessions and identities call.

CREATE OR REPLACE FUNCTION countersign_settings_lock(ns text, user_key text) RETURNS void LANGUAGE sql VOLATILE AS
$$ SELECT countersign_lock('settings ' || ns || ' ' || user_key) $$;

-- The same for an identity. Whoever needs both takes the user's first.
CREATE OR REPLACE FUNCTION countersign_settings_lock_identity(ns text, identity_key text) RETURNS void LANGUAGE sql VOLATILE AS
$$ SELECT countersign_lock('identity ' || ns || ' ' || identity_key) $$;

-- Why a session is not honoured; null when it is.
CREATE OR REPLACE FUNCTION countersign_settings_refusal(s countersign_settings_sessions, given text, now_ms bigint)
RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE
    WHEN s.hash IS DISTINCT FROM given OR s.gone_at <= now_ms THEN 'unknown'
    WHEN s.state = 'ended' THEN 'revoked'
    WHEN now_ms >= least(s.expires_at, s.release_until) THEN 'expired'
    WHEN now_ms >= s.seen_at + s.idle_ms THEN 'idle'
    WHEN s.is_revoked THEN 'revoked'
  END
$$;

-- The same of a link.
CREATE OR REPLACE FUNCTION countersign_settings_link_refusal(l countersign_settings_links, given text, now_ms bigint)
RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE
    WHEN l.hash IS DISTINCT FROM given OR l.gone_at <= now_ms THEN 'unknown'
    WHEN l.spent_at IS NOT NULL THEN 'spent'
    WHEN now_ms >= l.expires_at THEN 'expired'
    WHEN l.is_revoked THEN 'revoked'
  END
$$;

-- A refusal: the reason, and for how many milliseconds it has been late.
CREATE OR REPLACE FUNCTION countersign_settings_refused(reason text, s countersign_settings_sessions, now_ms bigint)
RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE reason
    WHEN 'expired' THEN jsonb_build_object('outcome', reason, 'lateMs', now_ms - least(s.expires_at, s.release_until))
    WHEN 'idle' THEN jsonb_build_object('outcome', reason, 'lateMs', now_ms - s.seen_at - s.idle_ms)
    ELSE jsonb_build_object('outcome', reason)
  END
$$;

-- A session as the store tells it.
CREATE OR REPLACE FUNCTION countersign_settings_view(s countersign_settings_sessions, now_ms bigint)
RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
  SELECT jsonb_build_array(s.tag, s.state, s.content, s.identity, s.link, s.created_at, s.expires_at, s.seen_at,
    now_ms - s.verified_at, s.claimed, s.claim_answer, s.claim_allowed)
$$;

-- Ends a session. It is remembered for as long as its browser may still ask why.
CREATE OR REPLACE FUNCTION countersign_settings_finish(ns text, of_tag text, now_ms bigint, p jsonb)
RETURNS void LANGUAGE sql VOLATILE AS $$
  UPDATE countersign_settings_sessions SET state = 'ended', gone_at = least(gone_at, now_ms + (p->>'endedMs')::bigint)
  WHERE namespace = ns AND tag = of_tag
$$;

CREATE OR REPLACE FUNCTION countersign_settings_spend(ns text, of_tag text, now_ms bigint) RETURNS void LANGUAGE sql VOLATILE AS
$$ UPDATE countersign_settings_links SET spent_at = now_ms WHERE namespace = ns AND tag = of_tag $$;

-- Counts an active session; beyond the user's maximum the oldest end. Returns what ended.
CREATE OR REPLACE FUNCTION countersign_settings_enter(ns text, of_tag text, now_ms bigint, p jsonb)
RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  own countersign_settings_sessions;
  surplus text[];
BEGIN
  UPDATE countersign_settings_sessions SET entered = nextval('countersign_settings_entered')
  WHERE namespace = ns AND tag = of_tag RETURNING * INTO own;
  SELECT coalesce(array_agg(tag ORDER BY entered), '{}') INTO surplus FROM (
    SELECT s.tag, s.entered FROM countersign_settings_sessions s
    WHERE s.namespace = ns AND s.user_key = own.user_key AND s.state = 'active'
      AND countersign_settings_refusal(s, s.hash, now_ms) IS NULL
    ORDER BY s.entered DESC OFFSET greatest(1, own.max_sessions)) older;
  UPDATE countersign_settings_sessions SET state = 'ended', gone_at = least(gone_at, now_ms + (p->>'endedMs')::bigint)
  WHERE namespace = ns AND tag = ANY(surplus);
  RETURN coalesce((SELECT jsonb_agg(jsonb_build_object('id', one, 'cause', 'max_sessions')) FROM unnest(surplus) AS one), '[]');
END $$;

-- Ends all sessions of a user and voids the user's links.
CREATE OR REPLACE FUNCTION countersign_settings_end_all(ns text, of_user text) RETURNS void LANGUAGE sql VOLATILE AS $$
  UPDATE countersign_settings_sessions SET is_revoked = true WHERE namespace = ns AND user_key = of_user AND NOT is_revoked;
  UPDATE countersign_settings_links SET is_revoked = true WHERE namespace = ns AND user_key = of_user AND NOT is_revoked;
$$;

CREATE OR REPLACE FUNCTION countersign_settings_issue_link(ns text, until bigint, attempt text, p jsonb)
RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  answer jsonb := countersign_attempt(until, attempt);
  expires_ms bigint;
BEGIN
  IF answer IS NOT NULL THEN RETURN answer; END IF;
  PERFORM countersign_settings_lock(ns, p->>'user');
  expires_ms := countersign_begin(until) + (p->>'ttl')::bigint;
  INSERT INTO countersign_settings_links (namespace, tag, hash, user_key, content, expires_at, code_hash, gone_at)
  VALUES (ns, p->>'tag', p->>'hash', p->>'user', p->>'content', expires_ms, p->>'codeHash', expires_ms + (p->>'tombstoneMs')::bigint);
  RETURN countersign_keep(attempt, to_jsonb(expires_ms));
END $$;

CREATE OR REPLACE FUNCTION countersign_settings_peek_link(ns text, until bigint, p jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  now_ms bigint := countersign_begin(until);
  l countersign_settings_links;
  reason text;
BEGIN
  SELECT * INTO l FROM countersign_settings_links WHERE namespace = ns AND tag = p->>'tag';
  reason := countersign_settings_link_refusal(l, p->>'hash', now_ms);
  IF reason = 'expired' THEN RETURN jsonb_build_object('outcome', reason, 'lateMs', now_ms - l.expires_at); END IF;
  IF reason IS NOT NULL THEN RETURN jsonb_build_object('outcome', reason); END IF;
  RETURN jsonb_build_object('outcome', 'open', 'content', l.content, 'expiresAt', l.expires_at, 'needsCode', l.code_hash IS NOT NULL);
END $$;

CREATE OR REPLACE FUNCTION countersign_settings_exchange(ns text, until bigint, attempt text, p jsonb)
RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  answer jsonb := countersign_attempt(until, attempt);
  l countersign_settings_links;
  s countersign_settings_sessions;
  now_ms bigint;
  absolute_ms bigint := p->>'absolute';
  reason text;
  ended jsonb := '[]';
BEGIN
  IF answer IS NOT NULL THEN RETURN answer; END IF;
  SELECT * INTO l FROM countersign_settings_links WHERE namespace = ns AND tag = p->>'link';
  -- Who guesses links waits for nobody, and nobody for them.
  IF NOT FOUND THEN RETURN '{"outcome":"unknown"}'; END IF;
  PERFORM countersign_settings_lock(ns, l.user_key);
  SELECT * INTO l FROM countersign_settings_links WHERE namespace = ns AND tag = p->>'link';
  SELECT * INTO s FROM countersign_settings_sessions WHERE namespace = ns AND tag = p->>'session';
  now_ms := countersign_begin(until);
  -- A repeat of the attempt that opened it gets its session.
  IF l.hash = p->>'linkHash' AND l.attempt = p->>'attempt' AND (l.spent_at IS NULL OR now_ms < l.spent_at + (p->>'repeatMs')::bigint)
    AND countersign_settings_refusal(s, p->>'sessionHash', now_ms) IS NULL THEN
    RETURN jsonb_build_object('outcome', 'opened', 'session', countersign_settings_view(s, now_ms), 'isRepeat', true, 'ended', ended);
  END IF;
  reason := countersign_settings_link_refusal(l, p->>'linkHash', now_ms);
  IF reason = 'expired' THEN RETURN jsonb_build_object('outcome', reason, 'lateMs', now_ms - l.expires_at); END IF;
  IF reason IS NOT NULL THEN RETURN jsonb_build_object('outcome', reason); END IF;
  IF l.code_hash IS NOT NULL AND l.code_hash IS DISTINCT FROM p->>'codeHash' THEN
    UPDATE countersign_settings_links SET wrong_codes = wrong_codes + 1,
      spent_at = CASE WHEN wrong_codes + 1 < (p->>'mostWrong')::integer THEN NULL ELSE now_ms END
    WHERE namespace = ns AND tag = l.tag RETURNING * INTO l;
    IF l.spent_at IS NULL THEN RETURN countersign_keep(attempt, '{"outcome":"wrong_code"}'); END IF;
    RETURN countersign_keep(attempt, '{"outcome":"spent","isVoided":true}');
  END IF;
  UPDATE countersign_settings_links SET holder = p->>'session', attempt = p->>'attempt',
    spent_at = CASE p->>'state' WHEN 'active' THEN now_ms END
  WHERE namespace = ns AND tag = l.tag;
  DELETE FROM countersign_settings_sessions WHERE namespace = ns AND tag = p->>'session';
  INSERT INTO countersign_settings_sessions (namespace, tag, hash, user_key, content, state, created_at, expires_at, seen_at, verified_at,
    idle_ms, max_sessions, link, gone_at)
  VALUES (ns, p->>'session', p->>'sessionHash', l.user_key, l.content, p->>'state', now_ms, now_ms + absolute_ms, now_ms, now_ms,
    (p->>'idle')::bigint, (p->>'most')::integer, l.tag, now_ms + absolute_ms + (p->>'tombstoneMs')::bigint);
  IF p->>'state' = 'active' THEN ended := countersign_settings_enter(ns, p->>'session', now_ms, p); END IF;
  IF l.holder IS DISTINCT FROM p->>'session' THEN
    -- It opened nothing: nobody has to be told why it is gone.
    DELETE FROM countersign_settings_sessions WHERE namespace = ns AND tag = l.holder AND state <> 'ended';
    IF FOUND THEN ended := ended || jsonb_build_array(jsonb_build_object('id', l.holder, 'cause', 'link_opened_again')); END IF;
  END IF;
  SELECT * INTO s FROM countersign_settings_sessions WHERE namespace = ns AND tag = p->>'session';
  RETURN countersign_keep(attempt, jsonb_build_object('outcome', 'opened', 'session', countersign_settings_view(s, now_ms), 'isRepeat', false,
    'ended', ended));
END $$;

CREATE OR REPLACE FUNCTION countersign_settings_void_link(ns text, until bigint, attempt text, p jsonb)
RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  answer jsonb := countersign_attempt(until, attempt);
  l countersign_settings_links;
  now_ms bigint;
BEGIN
  IF answer IS NOT NULL THEN RETURN answer; END IF;
  SELECT * INTO l FROM countersign_settings_links WHERE namespace = ns AND tag = p->>'tag';
  IF NOT FOUND THEN RETURN 'false'; END IF;
  PERFORM countersign_settings_lock(ns, l.user_key);
  SELECT * INTO l FROM countersign_settings_links WHERE namespace = ns AND tag = p->>'tag';
  now_ms := countersign_begin(until);
  IF countersign_settings_link_refusal(l, p->>'hash', now_ms) IS NOT NULL THEN RETURN 'false'; END IF;
  PERFORM countersign_settings_spend(ns, l.tag, now_ms);
  DELETE FROM countersign_settings_sessions WHERE namespace = ns AND tag = l.holder AND state = 'awaiting_identity';
  RETURN countersign_keep(attempt, 'true');
END $$;

CREATE OR REPLACE FUNCTION countersign_settings_open_session(ns text, until bigint, attempt text, p jsonb)
RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  answer jsonb := countersign_attempt(until, attempt);
  s countersign_settings_sessions;
  now_ms bigint;
  absolute_ms bigint := p->>'absolute';
  reason text;
  ended jsonb := '[]';
BEGIN
  IF answer IS NOT NULL THEN RETURN answer; END IF;
  PERFORM countersign_settings_lock(ns, p->>'user');
  SELECT * INTO s FROM countersign_settings_sessions WHERE namespace = ns AND tag = p->>'session';
  now_ms := countersign_begin(until);
  IF s.gone_at > now_ms THEN
    reason := countersign_settings_refusal(s, p->>'sessionHash', now_ms);
    IF reason IS NOT NULL THEN RETURN countersign_settings_refused(reason, s, now_ms); END IF;
    RETURN jsonb_build_object('outcome', 'found', 'session', countersign_settings_view(s, now_ms), 'isRepeat', true, 'ended', ended);
  END IF;
  DELETE FROM countersign_settings_sessions WHERE namespace = ns AND tag = p->>'session';
  INSERT INTO countersign_settings_sessions (namespace, tag, hash, user_key, content, state, created_at, expires_at, seen_at, verified_at,
    idle_ms, max_sessions, gone_at)
  VALUES (ns, p->>'session', p->>'sessionHash', p->>'user', p->>'content', p->>'state', now_ms, now_ms + absolute_ms, now_ms, now_ms,
    (p->>'idle')::bigint, (p->>'most')::integer, now_ms + absolute_ms + (p->>'tombstoneMs')::bigint);
  IF p->>'state' = 'active' THEN ended := countersign_settings_enter(ns, p->>'session', now_ms, p); END IF;
  SELECT * INTO s FROM countersign_settings_sessions WHERE namespace = ns AND tag = p->>'session';
  RETURN countersign_keep(attempt, jsonb_build_object('outcome', 'found', 'session', countersign_settings_view(s, now_ms), 'isRepeat', false,
    'ended', ended));
END $$;

-- Reads a session and marks it as used: a hundredth of its idle time, and a second, is the most that it may be late. What that
-- writes may be lost in a crash, so nobody waits for it.
CREATE OR REPLACE FUNCTION countersign_settings_read(ns text, until bigint, p jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  now_ms bigint := countersign_begin(until);
  s countersign_settings_sessions;
  reason text;
BEGIN
  SELECT * INTO s FROM countersign_settings_sessions WHERE namespace = ns AND tag = p->>'tag';
  reason := countersign_settings_refusal(s, p->>'hash', now_ms);
  IF reason IS NOT NULL THEN RETURN countersign_settings_refused(reason, s, now_ms); END IF;
  IF now_ms - s.seen_at > least(1000, s.idle_ms / 100) THEN
    PERFORM set_config('synchronous_commit', 'off', true);
    UPDATE countersign_settings_sessions SET seen_at = greatest(seen_at, now_ms) WHERE namespace = ns AND tag = s.tag;
  END IF;
  s.seen_at := greatest(s.seen_at, now_ms);
  RETURN jsonb_build_object('outcome', 'found', 'session', countersign_settings_view(s, now_ms));
END $$;

CREATE OR REPLACE FUNCTION countersign_settings_revoke(ns text, until bigint, attempt text, p jsonb)
RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  answer jsonb := countersign_attempt(until, attempt);
  s countersign_settings_sessions;
  now_ms bigint;
BEGIN
  IF answer IS NOT NULL THEN RETURN answer; END IF;
  SELECT * INTO s FROM countersign_settings_sessions WHERE namespace = ns AND tag = p->>'tag';
  IF NOT FOUND THEN RETURN NULL; END IF;
  PERFORM countersign_settings_lock(ns, s.user_key);
  SELECT * INTO s FROM countersign_settings_sessions WHERE namespace = ns AND tag = p->>'tag';
  now_ms := countersign_begin(until);
  IF s.tag IS NULL OR countersign_settings_refusal(s, coalesce(p->>'hash', s.hash), now_ms) IS NOT NULL THEN RETURN NULL; END IF;
  PERFORM countersign_settings_finish(ns, s.tag, now_ms, p);
  IF (p->>'freesLink')::boolean THEN
    -- One that wrong codes have voided stays so.
    UPDATE countersign_settings_links SET spent_at = NULL, attempt = NULL, holder = NULL
    WHERE namespace = ns AND tag = s.link AND holder = s.tag AND wrong_codes < (p->>'mostWrong')::integer;
  ELSE
    PERFORM countersign_settings_spend(ns, s.link, now_ms);
  END IF;
  RETURN countersign_keep(attempt, countersign_settings_view(s, now_ms));
END $$;

CREATE OR REPLACE FUNCTION countersign_settings_revoke_all(ns text, until bigint, attempt text, p jsonb)
RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  answer jsonb := countersign_attempt(until, attempt);
BEGIN
  IF answer IS NOT NULL THEN RETURN answer; END IF;
  PERFORM countersign_settings_lock(ns, p->>'user');
  PERFORM countersign_begin(until);
  PERFORM countersign_settings_end_all(ns, p->>'user');
  UPDATE countersign_settings_identities SET is_barred = true WHERE namespace = ns AND user_key = p->>'user';
  RETURN countersign_keep(attempt, 'true');
END $$;

CREATE OR REPLACE FUNCTION countersign_settings_list(ns text, until bigint, p jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  now_ms bigint := countersign_begin(until);
BEGIN
  RETURN coalesce((SELECT jsonb_agg(countersign_settings_view(s, now_ms) ORDER BY s.entered) FROM countersign_settings_sessions s
    WHERE s.namespace = ns AND s.user_key = p->>'user' AND s.state = 'active' AND countersign_settings_refusal(s, s.hash, now_ms) IS NULL), '[]');
END $$;

CREATE OR REPLACE FUNCTION countersign_settings_count_attempt(ns text, until bigint, attempt text, p jsonb)
RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  answer jsonb := countersign_attempt(until, attempt);
  now_ms bigint;
  known countersign_settings_notes;
BEGIN
  IF answer IS NOT NULL THEN RETURN answer; END IF;
  now_ms := countersign_begin(until);
  INSERT INTO countersign_settings_notes AS n (namespace, name, number, gone_at)
  VALUES (ns, p->>'name', 1, now_ms + (p->>'window')::bigint)
  ON CONFLICT (namespace, name) DO UPDATE SET
    number = CASE WHEN n.gone_at <= now_ms THEN 1 ELSE n.number + 1 END,
    gone_at = CASE WHEN n.gone_at <= now_ms THEN excluded.gone_at ELSE n.gone_at END
  WHERE n.gone_at <= now_ms OR n.number < (p->>'most')::integer;
  IF FOUND THEN RETURN countersign_keep(attempt, '0'); END IF;
  SELECT * INTO known FROM countersign_settings_notes WHERE namespace = ns AND name = p->>'name';
  RETURN to_jsonb(greatest(1, known.gone_at - now_ms));
END $$;

CREATE OR REPLACE FUNCTION countersign_settings_sweep(most integer) RETURNS integer LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  now_ms bigint := countersign_now();
  swept integer;
  swept_in_all integer := 0;
BEGIN
  DELETE FROM countersign_settings_links WHERE (namespace, tag) IN (
    SELECT namespace, tag FROM countersign_settings_links WHERE gone_at < now_ms ORDER BY gone_at LIMIT most FOR UPDATE SKIP LOCKED);
  GET DIAGNOSTICS swept_in_all = ROW_COUNT;
  DELETE FROM countersign_settings_sessions WHERE (namespace, tag) IN (
    SELECT namespace, tag FROM countersign_settings_sessions WHERE gone_at < now_ms ORDER BY gone_at LIMIT most FOR UPDATE SKIP LOCKED);
  GET DIAGNOSTICS swept = ROW_COUNT;
  swept_in_all := greatest(swept_in_all, swept);
  DELETE FROM countersign_settings_notes WHERE (namespace, name) IN (
    SELECT namespace, name FROM countersign_settings_notes WHERE gone_at < now_ms ORDER BY gone_at LIMIT most FOR UPDATE SKIP LOCKED);
  GET DIAGNOSTICS swept = ROW_COUNT;
  RETURN greatest(swept_in_all, swept);
END $$;
