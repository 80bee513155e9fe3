-- name: session_actor
-- Who is signed in with a session token.
SELECT user_id, utility_id, role, login, full_name, expires_at FROM identity.session_actor(%(digest)s, %(at)s);

-- name: key_actor
-- For whom an API key acts.
SELECT user_id, utility_id, role, login, full_name, key_prefix, scopes FROM identity.key_actor(%(digest)s, %(at)s);

-- name: credentials
-- What a password is checked against.
SELECT user_id, password_hash, locked_until FROM identity.credentials(%(login)s);

-- name: utility_of_login
-- The utility that a person works for.
SELECT identity.utility_of_login(%(login)s);

-- name: utility_by_code
-- The utility of a short name.
SELECT network.utility_by_code(%(code)s);

-- name: applied_migrations
-- What the database was built from.
SELECT name, checksum FROM identity.applied_migrations();

-- name: staff
-- People of the utility by login, after one of them.
SELECT user_id, login, full_name, role, staff_status, password_hash IS NOT NULL AS has_password, locked_until, created_at
FROM identity.utility_staff
WHERE %(after)s::text IS NULL OR login > %(after)s
ORDER BY login
LIMIT %(limit)s;

-- name: staff_by_login
-- One person of the utility.
SELECT user_id, login, full_name, role, staff_status, password_hash IS NOT NULL AS has_password, locked_until, created_at
FROM identity.utility_staff
WHERE login = %(login)s;

-- name: api_keys
-- API keys of the utility, or of one person of it, newest first, after one of them.
SELECT k.key_id, k.key_name, k.key_prefix, p.login, k.scopes, k.created_at, k.expires_at, k.revoked_at, k.last_used_at
FROM identity.api_keys k JOIN identity.utility_staff p ON p.user_id = k.user_id
WHERE (%(user_id)s::uuid IS NULL OR k.user_id = %(user_id)s) AND (%(before)s::uuid IS NULL OR k.key_id < %(before)s)
ORDER BY k.key_id DESC
LIMIT %(limit)s;

-- name: changes_of
-- Changes of one row, newest first.
SELECT changed_at, operation, old_values, new_values, actor, user_id, request_id, change_reason
FROM identity.utility_audit_log
WHERE utility_id = identity.current_utility() AND table_name = %(table_name)s AND record_id = %(record_id)s
ORDER BY changed_at DESC, audit_id DESC
LIMIT %(limit)s;

-- name: first_utility
-- Short name of the utility that was set up first.
SELECT network.first_utility();
