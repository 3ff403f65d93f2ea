-- Links, sessions and identities of people. A user's key begins with that of its platform and team, and a dot. Times are milliseconds since the epoch, by the server's clock. What belongs to one
-- user is changed under the lock of that user.
CREATE TABLE IF NOT EXISTS countersign_settings_links (
  namespace text NOT NULL,
  tag text NOT NULL,
  hash text NOT NULL,
  user_key text NOT NULL,
  content text NOT NULL,
  expires_at bigint NOT NULL,
  code_hash text,
  wrong_codes integer NOT NULL DEFAULT 0,
  -- The session that holds the link, or opened with it; and the browser's attempt.
  holder text,
  attempt text,
  spent_at bigint,
  is_revoked boolean NOT NULL DEFAULT false,
  gone_at bigint NOT NULL,
  PRIMARY KEY (namespace, tag)
);
CREATE INDEX IF NOT EXISTS countersign_settings_links_user ON countersign_settings_links (namespace, user_key);
CREATE INDEX IF NOT EXISTS countersign_settings_links_gone ON countersign_settings_links (gone_at);

CREATE TABLE IF NOT EXISTS countersign_settings_sessions (
  namespace text NOT NULL,
  tag text NOT NULL,
  hash text NOT NULL,
  user_key text NOT NULL,
  content text NOT NULL,
  -- active, awaiting_identity or ended
  state text NOT NULL,
  created_at bigint NOT NULL,
  expires_at bigint NOT NULL,
  seen_at bigint NOT NULL,
  verified_at bigint NOT NULL,
  idle_ms bigint NOT NULL,
  max_sessions integer NOT NULL,
  link text,
  identity text,
  claimed text,
  claim_key text,
  claim_answer text,
  -- Of a claim of another user's identity: whether the app allowed it, whose the identity was, until when it may be released, and
  -- what was released.
  claim_allowed boolean,
  claim_holder text,
  release_until bigint,
  released jsonb,
  -- Grows with each session that becomes active.
  entered bigint,
  is_revoked boolean NOT NULL DEFAULT false,
  gone_at bigint NOT NULL,
  PRIMARY KEY (namespace, tag)
) WITH (fillfactor = 80);
CREATE INDEX IF NOT EXISTS countersign_settings_sessions_user ON countersign_settings_sessions (namespace, user_key);
CREATE INDEX IF NOT EXISTS countersign_settings_sessions_gone ON countersign_settings_sessions (gone_at);
CREATE SEQUENCE IF NOT EXISTS countersign_settings_entered;

-- Who is bound to whom: a user has one identity, and an identity one user of a platform and team.
CREATE TABLE IF NOT EXISTS countersign_settings_identities (
  namespace text NOT NULL,
  user_key text NOT NULL,
  -- Of the identity among the users of one platform and team, and among all.
  identity_key text NOT NULL,
  claim_key text NOT NULL,
  identity text NOT NULL,
  user_text text NOT NULL,
  attempt text NOT NULL,
  is_recorded boolean NOT NULL DEFAULT false,
  -- The user does not return by a sign-in alone.
  is_barred boolean NOT NULL DEFAULT false,
  PRIMARY KEY (namespace, user_key),
  UNIQUE (namespace, identity_key)
);
CREATE INDEX IF NOT EXISTS countersign_settings_identities_claim ON countersign_settings_identities (namespace, claim_key);

-- What lasts for a while: sign-ins under way (o), uses of a platform's signed data (t), counted attempts (n).
CREATE TABLE IF NOT EXISTS countersign_settings_notes (
  namespace text NOT NULL,
  name text NOT NULL,
  secret text NOT NULL DEFAULT '',
  content text NOT NULL DEFAULT '',
  number integer NOT NULL DEFAULT 0,
  gone_at bigint NOT NULL,
  PRIMARY KEY (namespace, name)
);
CREATE INDEX IF NOT EXISTS countersign_settings_notes_gone ON countersign_settings_notes (gone_at);
