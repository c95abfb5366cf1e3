-- Statements of accounts.py, source_keys.py and audit.py.

-- name: save_account
INSERT INTO account (name, display_name, password_hash, roles, department, created_at)
VALUES (%(name)s, %(display_name)s, %(password_hash)s, %(roles)s, %(department)s, %(at)s)
ON CONFLICT (name) DO UPDATE SET
    display_name = excluded.display_name, password_hash = excluded.password_hash, roles = excluded.roles,
    department = excluded.department, disabled = false;

-- name: end_sessions_of
DELETE FROM session WHERE account_name = %s;

-- name: end_tickets_of
DELETE FROM ws_ticket WHERE account_name = %s;

-- name: set_disabled
UPDATE account SET disabled = %(disabled)s WHERE name = %(name)s RETURNING name;

-- name: list_accounts
SELECT name, display_name, roles, department, disabled FROM account ORDER BY name;

-- name: list_able
SELECT name, display_name, roles, department, disabled FROM account
WHERE NOT disabled AND roles && %s::text[] ORDER BY name;

-- name: find_account
SELECT name, display_name, roles, department, disabled, password_hash FROM account WHERE name = %s;

-- name: open_session
INSERT INTO session (token_hash, account_name, csrf, created_at, seen_at)
VALUES (%(token_hash)s, %(name)s, %(csrf)s, %(at)s, %(at)s);

-- name: find_session
SELECT account.name, display_name, roles, department, disabled, csrf, seen_at
FROM session JOIN account ON account.name = account_name
WHERE token_hash = %(token_hash)s AND seen_at > %(idle_since)s AND session.created_at > %(oldest)s;

-- name: touch_session
UPDATE session SET seen_at = greatest(seen_at, %(at)s) WHERE token_hash = %(token_hash)s;

-- name: close_session
DELETE FROM session WHERE token_hash = %s;

-- name: forget_sessions
DELETE FROM session WHERE seen_at <= %(idle_since)s OR created_at <= %(oldest)s;

-- name: issue_ticket
INSERT INTO ws_ticket (token_hash, account_name, session_hash, expires_at)
VALUES (%(token_hash)s, %(name)s, %(session_hash)s, %(expires_at)s);

-- name: redeem_ticket
DELETE FROM ws_ticket WHERE token_hash = %(token_hash)s RETURNING account_name, session_hash, expires_at;

-- name: find_admitted
SELECT name, display_name, roles, department, disabled FROM account
WHERE name = %(name)s AND NOT disabled AND (%(session_hash)s::bytea IS NULL OR EXISTS (
    SELECT FROM session
    WHERE token_hash = %(session_hash)s AND account_name = %(name)s
        AND seen_at > %(idle_since)s AND session.created_at > %(oldest)s
));

-- name: forget_tickets
DELETE FROM ws_ticket WHERE expires_at <= %s;

-- name: add_key
INSERT INTO api_key (key_id, name, secret_hash, feed_ids, created_at, expires_at)
VALUES (%(key_id)s, %(name)s, %(secret_hash)s, %(feed_ids)s, %(at)s, %(expires_at)s);

-- name: find_key
SELECT key_id, name, secret_hash, feed_ids, expires_at FROM api_key WHERE key_id = %s AND revoked_at IS NULL;

-- name: list_keys
SELECT key_id, name, feed_ids, created_at, expires_at, revoked_at FROM api_key ORDER BY created_at;

-- name: revoke_key
UPDATE api_key SET revoked_at = %s WHERE key_id = %s AND revoked_at IS NULL RETURNING key_id;

-- name: audit
INSERT INTO audit_log (at, actor, address, action, object, detail)
VALUES (%(at)s, %(actor)s, %(address)s, %(action)s, %(object)s, %(detail)s);

-- name: list_audit
SELECT at, actor, address, action, object, detail FROM audit_log ORDER BY audit_id DESC LIMIT %s;
