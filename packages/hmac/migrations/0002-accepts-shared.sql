-- Whether the shared secret counts for this caller, too: it is on its way from that one to a secret of its own.
ALTER TABLE internal_service_hmac_secrets ADD COLUMN IF NOT EXISTS accepts_shared boolean NOT NULL DEFAULT false;
