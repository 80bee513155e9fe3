-- name: as_setup
-- Name the setting up of a utility as the actor, for the audit log.
SELECT set_config('app.actor', 'system:setup', true);

-- name: found_utility
-- A new utility; only the owner may, so the administrator takes that role.
SELECT network.found_utility(%(id)s, %(name)s, %(code)s, %(kind)s, %(commodities)s, %(currency)s, %(timezone)s);
