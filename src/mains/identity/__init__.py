"""Who may do what, and who did: staff, sessions, API keys, sign-in links, the audit log.

Nouns: a staff member works for one utility in one role (staff, regulator, auditor); a session is an opaque token of which the database keeps only the hash; an API key is a
program's; a sign-in link signs one person in once; the audit log has the changed columns of every business table.
Verbs: hire_staff, sign_in, sign_out, make_api_key, revoke_api_key, make_sign_in_link, use_sign_in_link. Reads: actor_of_session, actor_of_key, changes_of.

What holds: nothing but the health of the server is open without a session or a key; a role comes from the database role, never from a setting; a change without an actor is
refused; `identity.protect` is the only way a tenant's table gets its policies, and a test holds every table to it.
"""
