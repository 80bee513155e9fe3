-- name: hire_staff
-- A new person of the utility.
INSERT INTO identity.utility_staff (user_id, login, full_name, role, password_hash, created_at)
VALUES (%(user_id)s, %(login)s, %(full_name)s, %(role)s, %(password_hash)s, %(at)s);

-- name: set_password
-- Another password, with the count of wrong ones cleared.
UPDATE identity.utility_staff SET password_hash = %(password_hash)s, failed_attempts = 0, locked_until = NULL WHERE login = %(login)s RETURNING user_id;

-- name: set_staff_status
-- Active, suspended or left.
UPDATE identity.utility_staff SET staff_status = %(staff_status)s WHERE login = %(login)s RETURNING user_id;

-- name: end_sessions_of
-- Every session of a person ends.
SELECT identity.end_sessions_of(%(user_id)s, %(at)s);

-- name: make_api_key
-- A new key of an active person.
INSERT INTO identity.api_keys (key_id, user_id, key_name, key_prefix, key_hash, scopes, created_at, expires_at)
SELECT %(key_id)s, user_id, %(key_name)s, %(key_prefix)s, %(digest)s, %(scopes)s, %(at)s, %(expires_at)s
FROM identity.utility_staff WHERE user_id = %(user_id)s AND staff_status = 'active'
RETURNING key_id;

-- name: revoke_api_key
-- A key is taken back for good; one taken back before keeps its instant.
UPDATE identity.api_keys SET revoked_at = coalesce(revoked_at, %(at)s)
WHERE key_id = %(key_id)s AND (%(user_id)s::uuid IS NULL OR user_id = %(user_id)s)
RETURNING key_id;

-- name: make_sign_in_link
-- A link that signs an active person in once.
INSERT INTO identity.sign_in_links (link_hash, user_id, created_at, expires_at)
SELECT %(digest)s, user_id, %(at)s, %(expires_at)s FROM identity.utility_staff WHERE login = %(login)s AND staff_status = 'active'
RETURNING user_id;

-- name: count_wrong_password
-- One more wrong password.
SELECT identity.count_wrong_password(%(user_id)s, %(at)s, %(wait_after)s, %(wait_for)s, %(ip)s, %(user_agent)s);

-- name: accept_password
-- Whether a right password lets its person in.
SELECT identity.accept_password(%(user_id)s, %(at)s, %(ip)s, %(user_agent)s);

-- name: use_link
-- Whom a link signs in, once.
SELECT identity.use_link(%(digest)s, %(at)s);

-- name: open_session
-- A session begins.
SELECT identity.open_session(%(digest)s, %(user_id)s, %(at)s, %(until)s, %(ip)s, %(user_agent)s);

-- name: close_session
-- A session ends.
SELECT identity.close_session(%(digest)s, %(at)s);
