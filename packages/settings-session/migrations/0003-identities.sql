-- An identity's key among the users of one platform and team.
CREATE OR REPLACE FUNCTION countersign_settings_identity_key(claim_key text, user_key text) RETURNS text LANGUAGE sql IMMUTABLE AS
$$ SELECT claim_key || '.' || split_part(user_key, '.', 1) $$;

-- Settles who the session's user is and makes the session active: a first claim binds user and identity, a later one verifies.
CREATE OR REPLACE FUNCTION countersign_settings_claim(ns text, until bigint, attempt text, p jsonb)
RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  answer jsonb := countersign_attempt(until, attempt);
  given text := p->>'identity';
  s countersign_settings_sessions;
  bound countersign_settings_identities;
  own_key text;
  owner text;
  now_ms bigint;
  reason text;
  ended jsonb := '[]';
BEGIN
  IF answer IS NOT NULL THEN RETURN answer; END IF;
  SELECT * INTO s FROM countersign_settings_sessions WHERE namespace = ns AND tag = p->>'tag';
  IF NOT FOUND THEN RETURN '{"outcome":"unknown"}'; END IF;
  own_key := countersign_settings_identity_key(p->>'claimKey', s.user_key);
  PERFORM countersign_settings_lock(ns, s.user_key);
  PERFORM countersign_settings_lock_identity(ns, own_key);
  SELECT * INTO s FROM countersign_settings_sessions WHERE namespace = ns AND tag = p->>'tag';
  now_ms := countersign_begin(until);
  reason := countersign_settings_refusal(s, p->>'hash', now_ms);
  IF reason IS NOT NULL THEN RETURN countersign_settings_refused(reason, s, now_ms); END IF;
  IF s.claim_answer = 'taken' OR s.claim_answer = 'released' AND s.claimed <> given THEN RETURN '{"outcome":"revoked"}'; END IF;
  SELECT * INTO bound FROM countersign_settings_identities WHERE namespace = ns AND user_key = s.user_key;
  SELECT user_key INTO owner FROM countersign_settings_identities WHERE namespace = ns AND identity_key = own_key;
  IF bound.identity IS NULL AND NOT (p->>'mayEstablish')::boolean THEN
    RETURN jsonb_build_object('outcome', 'unbound', 'session', countersign_settings_view(s, now_ms));
  END IF;
  IF bound.identity IS NULL AND owner <> s.user_key AND s.state = 'awaiting_identity' THEN
    -- The session stays for a release alone.
    UPDATE countersign_settings_sessions SET hash = p->>'newHash', verified_at = now_ms, seen_at = now_ms, claimed = given,
      claim_key = p->>'claimKey', claim_answer = 'taken', claim_allowed = (p->>'isAllowed')::boolean, claim_holder = owner,
      release_until = now_ms + (p->>'releaseMs')::bigint
    WHERE namespace = ns AND tag = s.tag RETURNING * INTO s;
    PERFORM countersign_settings_spend(ns, s.link, now_ms);
    RETURN countersign_keep(attempt, jsonb_build_object('outcome', 'taken', 'session', countersign_settings_view(s, now_ms)));
  END IF;
  IF owner <> s.user_key OR bound.identity <> given THEN
    PERFORM countersign_settings_finish(ns, s.tag, now_ms, p);
    PERFORM countersign_settings_spend(ns, s.link, now_ms);
    RETURN countersign_keep(attempt, jsonb_build_object('outcome', 'mismatch', 'session', countersign_settings_view(s, now_ms)));
  END IF;
  IF bound.identity IS NULL THEN
    INSERT INTO countersign_settings_identities (namespace, user_key, identity_key, claim_key, identity, user_text, attempt)
    VALUES (ns, s.user_key, own_key, p->>'claimKey', given, (s.content::json->'user')::text, p->>'newHash');
  ELSE
    UPDATE countersign_settings_identities SET is_barred = false WHERE namespace = ns AND user_key = s.user_key AND is_barred;
  END IF;
  -- With the session's present hash it is a repeat, whose record may be missing: the age of the proof stays.
  UPDATE countersign_settings_sessions SET hash = p->>'newHash', state = 'active', seen_at = now_ms,
    verified_at = CASE WHEN hash = p->>'newHash' THEN verified_at ELSE now_ms END,
    identity = given, claimed = NULL, claim_key = NULL, claim_answer = NULL, claim_allowed = NULL, claim_holder = NULL,
    release_until = NULL, released = NULL
  WHERE namespace = ns AND tag = s.tag;
  PERFORM countersign_settings_spend(ns, s.link, now_ms);
  IF s.state <> 'active' THEN ended := countersign_settings_enter(ns, s.tag, now_ms, p); END IF;
  SELECT * INTO s FROM countersign_settings_sessions WHERE namespace = ns AND tag = p->>'tag';
  RETURN countersign_keep(attempt, jsonb_build_object('outcome', 'activated', 'session', countersign_settings_view(s, now_ms),
    'isFirst', NOT coalesce(bound.is_recorded, false), 'ended', ended));
END $$;

CREATE OR REPLACE FUNCTION countersign_settings_confirm_binding(ns text, until bigint, attempt text, p jsonb)
RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  answer jsonb := countersign_attempt(until, attempt);
BEGIN
  IF answer IS NOT NULL THEN RETURN answer; END IF;
  PERFORM countersign_settings_lock(ns, p->>'user');
  PERFORM countersign_begin(until);
  UPDATE countersign_settings_identities SET attempt = p->>'by', is_recorded = true
  WHERE namespace = ns AND user_key = p->>'user' AND identity = p->>'identity';
  RETURN countersign_keep(attempt, 'true');
END $$;

-- Keeps a first claim, in place of an earlier one, until the app decides.
CREATE OR REPLACE FUNCTION countersign_settings_hold_claim(ns text, until bigint, attempt text, p jsonb)
RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  answer jsonb := countersign_attempt(until, attempt);
  now_ms bigint;
  s countersign_settings_sessions;
  reason text;
BEGIN
  IF answer IS NOT NULL THEN RETURN answer; END IF;
  SELECT * INTO s FROM countersign_settings_sessions WHERE namespace = ns AND tag = p->>'tag' FOR UPDATE;
  now_ms := countersign_begin(until);
  reason := countersign_settings_refusal(s, p->>'hash', now_ms);
  IF reason IS NOT NULL THEN RETURN countersign_settings_refused(reason, s, now_ms); END IF;
  IF s.claim_answer IN ('taken', 'released') THEN RETURN '{"outcome":"revoked"}'; END IF;
  UPDATE countersign_settings_sessions SET claimed = p->>'identity', claim_key = p->>'key', claim_answer = 'pending'
  WHERE namespace = ns AND tag = s.tag RETURNING * INTO s;
  RETURN countersign_keep(attempt, jsonb_build_object('outcome', 'found', 'session', countersign_settings_view(s, now_ms)));
END $$;

CREATE OR REPLACE FUNCTION countersign_settings_answer_claim(ns text, until bigint, attempt text, p jsonb)
RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  answer jsonb := countersign_attempt(until, attempt);
  s countersign_settings_sessions;
BEGIN
  IF answer IS NOT NULL THEN RETURN answer; END IF;
  SELECT * INTO s FROM countersign_settings_sessions WHERE namespace = ns AND tag = p->>'tag' FOR UPDATE;
  IF s.claim_answer IS DISTINCT FROM 'pending' OR s.claim_key IS DISTINCT FROM p->>'key'
    OR countersign_settings_refusal(s, s.hash, countersign_begin(until)) IS NOT NULL THEN RETURN 'false'; END IF;
  UPDATE countersign_settings_sessions SET claim_answer = p->>'answer' WHERE namespace = ns AND tag = s.tag;
  RETURN countersign_keep(attempt, 'true');
END $$;

CREATE OR REPLACE FUNCTION countersign_settings_identity_of(ns text, until bigint, p jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  PERFORM countersign_begin(until);
  RETURN (SELECT to_jsonb(identity) FROM countersign_settings_identities WHERE namespace = ns AND user_key = p->>'user');
END $$;

-- The users whom an identity may open by a sign-in alone.
CREATE OR REPLACE FUNCTION countersign_settings_returning(ns text, until bigint, p jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  PERFORM countersign_begin(until);
  RETURN coalesce((SELECT jsonb_agg(user_text ORDER BY user_key) FROM countersign_settings_identities
    WHERE namespace = ns AND claim_key = p->>'claimKey' AND NOT is_barred), '[]');
END $$;

-- Unbinds user and identity and ends the user's sessions; with an attempt only while what that attempt bound stands.
CREATE OR REPLACE FUNCTION countersign_settings_unlink(ns text, until bigint, attempt text, p jsonb)
RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  answer jsonb := countersign_attempt(until, attempt);
  former text;
BEGIN
  IF answer IS NOT NULL THEN RETURN answer; END IF;
  PERFORM countersign_settings_lock(ns, p->>'user');
  PERFORM countersign_begin(until);
  DELETE FROM countersign_settings_identities AS i WHERE i.namespace = ns AND i.user_key = p->>'user'
    AND (p->>'by' IS NULL OR i.attempt = p->>'by') RETURNING identity INTO former;
  IF former IS NULL THEN RETURN NULL; END IF;
  PERFORM countersign_settings_end_all(ns, p->>'user');
  RETURN countersign_keep(attempt, to_jsonb(former));
END $$;

-- Binds a user to another identity and ends the user's sessions, unless the identity is another user's.
CREATE OR REPLACE FUNCTION countersign_settings_rebind(ns text, until bigint, attempt text, p jsonb)
RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  answer jsonb := countersign_attempt(until, attempt);
  own text := p->>'user';
  own_key text := countersign_settings_identity_key(p->>'claimKey', p->>'user');
  former countersign_settings_identities;
BEGIN
  IF answer IS NOT NULL THEN RETURN answer; END IF;
  PERFORM countersign_settings_lock(ns, own);
  PERFORM countersign_settings_lock_identity(ns, own_key);
  PERFORM countersign_begin(until);
  IF EXISTS (SELECT 1 FROM countersign_settings_identities WHERE namespace = ns AND identity_key = own_key AND user_key <> own) THEN
    RETURN '{"outcome":"taken"}';
  END IF;
  SELECT * INTO former FROM countersign_settings_identities WHERE namespace = ns AND user_key = own FOR UPDATE;
  IF p->>'replaced' IS NOT NULL AND former.attempt IS DISTINCT FROM p->>'replaced' THEN RETURN '{"outcome":"contended"}'; END IF;
  DELETE FROM countersign_settings_identities WHERE namespace = ns AND user_key = own;
  INSERT INTO countersign_settings_identities (namespace, user_key, identity_key, claim_key, identity, user_text, attempt)
  VALUES (ns, own, own_key, p->>'claimKey', p->>'identity', p->>'userText', p->>'by');
  PERFORM countersign_settings_end_all(ns, own);
  RETURN countersign_keep(attempt, jsonb_build_object('outcome', 'bound', 'identity', former.identity, 'attempt', former.attempt));
END $$;

-- Releases the identity of a session's taken claim from the user who had it then, while the session's user has none. A repeat
-- tells of the same user. That user's row decides, not that user's lock: two people who release from each other do not wait for each other.
CREATE OR REPLACE FUNCTION countersign_settings_free(ns text, until bigint, attempt text, p jsonb)
RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  answer jsonb := countersign_attempt(until, attempt);
  s countersign_settings_sessions;
  former countersign_settings_identities;
  now_ms bigint;
  reason text;
BEGIN
  IF answer IS NOT NULL THEN RETURN answer; END IF;
  SELECT * INTO s FROM countersign_settings_sessions WHERE namespace = ns AND tag = p->>'tag';
  IF NOT FOUND THEN RETURN '{"outcome":"unknown"}'; END IF;
  PERFORM countersign_settings_lock(ns, s.user_key);
  SELECT * INTO s FROM countersign_settings_sessions WHERE namespace = ns AND tag = p->>'tag' FOR UPDATE;
  now_ms := countersign_begin(until);
  reason := countersign_settings_refusal(s, p->>'hash', now_ms);
  IF reason IS NOT NULL THEN RETURN countersign_settings_refused(reason, s, now_ms); END IF;
  IF s.claim_answer IS NULL OR s.claim_answer NOT IN ('taken', 'released') THEN RETURN '{"outcome":"revoked"}'; END IF;
  UPDATE countersign_settings_sessions SET claim_answer = 'released' WHERE namespace = ns AND tag = s.tag RETURNING * INTO s;
  IF NOT EXISTS (SELECT 1 FROM countersign_settings_identities WHERE namespace = ns AND user_key = s.user_key) THEN
    DELETE FROM countersign_settings_identities AS i WHERE i.namespace = ns AND i.user_key = s.claim_holder
      AND i.identity_key = countersign_settings_identity_key(s.claim_key, s.user_key) RETURNING * INTO former;
    IF former.user_key IS NOT NULL THEN
      PERFORM countersign_settings_end_all(ns, former.user_key);
      UPDATE countersign_settings_sessions SET released = jsonb_build_object('user', former.user_text, 'attempt', former.attempt)
      WHERE namespace = ns AND tag = s.tag RETURNING * INTO s;
    END IF;
  END IF;
  RETURN countersign_keep(attempt, jsonb_build_object('outcome', 'found', 'session', countersign_settings_view(s, now_ms),
    'released', s.released));
END $$;

-- Binds an identity again to whom it was released from, unless one of the two is bound by now.
CREATE OR REPLACE FUNCTION countersign_settings_restore(ns text, until bigint, attempt text, p jsonb)
RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  answer jsonb := countersign_attempt(until, attempt);
  own_key text := countersign_settings_identity_key(p->>'claimKey', p->>'user');
BEGIN
  IF answer IS NOT NULL THEN RETURN answer; END IF;
  PERFORM countersign_settings_lock(ns, p->>'user');
  PERFORM countersign_settings_lock_identity(ns, own_key);
  PERFORM countersign_begin(until);
  INSERT INTO countersign_settings_identities (namespace, user_key, identity_key, claim_key, identity, user_text, attempt, is_barred)
  VALUES (ns, p->>'user', own_key, p->>'claimKey', p->>'identity', p->>'userText', p->>'by', true)
  ON CONFLICT DO NOTHING;
  IF NOT FOUND THEN RETURN 'false'; END IF;
  UPDATE countersign_settings_sessions SET released = NULL WHERE namespace = ns AND tag = p->>'session';
  RETURN countersign_keep(attempt, 'true');
END $$;

CREATE OR REPLACE FUNCTION countersign_settings_begin_oauth(ns text, until bigint, attempt text, p jsonb)
RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  answer jsonb := countersign_attempt(until, attempt);
BEGIN
  IF answer IS NOT NULL THEN RETURN answer; END IF;
  INSERT INTO countersign_settings_notes AS n (namespace, name, secret, content, gone_at)
  VALUES (ns, p->>'name', p->>'hash', p->>'content', countersign_begin(until) + (p->>'ttl')::bigint)
  ON CONFLICT (namespace, name) DO UPDATE SET secret = excluded.secret, content = excluded.content, gone_at = excluded.gone_at;
  RETURN countersign_keep(attempt, 'true');
END $$;

-- Takes a sign-in, once.
CREATE OR REPLACE FUNCTION countersign_settings_take_oauth(ns text, until bigint, attempt text, p jsonb)
RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  answer jsonb := countersign_attempt(until, attempt);
  taken text;
BEGIN
  IF answer IS NOT NULL THEN RETURN answer; END IF;
  DELETE FROM countersign_settings_notes WHERE namespace = ns AND name = p->>'name' AND secret = p->>'hash'
    AND gone_at > countersign_begin(until) RETURNING content INTO taken;
  IF taken IS NULL THEN RETURN NULL; END IF;
  RETURN countersign_keep(attempt, to_jsonb(taken));
END $$;

-- Notes the use of a platform's signed data by a browser: the number of its session, or -1 when it opens nothing.
CREATE OR REPLACE FUNCTION countersign_settings_use_data(ns text, until bigint, attempt text, p jsonb)
RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  answer jsonb := countersign_attempt(until, attempt);
  now_ms bigint;
  most integer := p->>'most';
  known countersign_settings_notes;
BEGIN
  IF answer IS NOT NULL THEN RETURN answer; END IF;
  now_ms := countersign_begin(until);
  INSERT INTO countersign_settings_notes AS n (namespace, name, secret, gone_at)
  VALUES (ns, p->>'name', p->>'device', now_ms + (p->>'ttl')::bigint)
  ON CONFLICT (namespace, name) DO UPDATE SET secret = excluded.secret, number = 0, gone_at = excluded.gone_at WHERE n.gone_at <= now_ms;
  IF FOUND THEN RETURN countersign_keep(attempt, '0'); END IF;
  SELECT * INTO known FROM countersign_settings_notes WHERE namespace = ns AND name = p->>'name' FOR UPDATE;
  IF known.secret IS DISTINCT FROM p->>'device' OR known.number >= most THEN RETURN '-1'; END IF;
  IF known.number IS DISTINCT FROM (p->>'ended')::integer THEN RETURN to_jsonb(known.number); END IF;
  UPDATE countersign_settings_notes SET number = number + 1 WHERE namespace = ns AND name = p->>'name';
  RETURN countersign_keep(attempt, to_jsonb(CASE WHEN known.number + 1 < most THEN known.number + 1 ELSE -1 END));
END $$;
