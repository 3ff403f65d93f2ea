-- One row a version of a caller's secret. The ciphertext opens only with its key-encryption key and only in this row.
CREATE TABLE IF NOT EXISTS internal_service_hmac_secrets (
  caller text NOT NULL,
  key_version integer NOT NULL CHECK (key_version > 0),
  ciphertext text NOT NULL,
  kek_id text NOT NULL,
  is_pending boolean NOT NULL DEFAULT false,
  not_before timestamptz NOT NULL DEFAULT now(),
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz,
  revoked_at timestamptz,
  PRIMARY KEY (caller, key_version)
);
