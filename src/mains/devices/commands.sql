-- name: one_writer
-- Approvals and sendings of a utility come one after the other, so that its limits hold.
SELECT pg_advisory_xact_lock(hashtextextended('devices.commands ' || identity.current_utility()::text, 0));

-- name: who_acts
-- The actor of this transaction.
SELECT current_setting('app.actor', true);

-- name: limits
-- How much a utility sends at most.
SELECT commands_per_minute, disconnects_per_hour FROM devices.command_limits;

-- name: set_limits
-- How much a utility sends at most, from now on.
INSERT INTO devices.command_limits (commands_per_minute, disconnects_per_hour) VALUES (%(commands_per_minute)s, %(disconnects_per_hour)s)
ON CONFLICT (utility_id) DO UPDATE SET commands_per_minute = excluded.commands_per_minute, disconnects_per_hour = excluded.disconnects_per_hour;

-- name: protections_of
-- What stands against disconnecting the service that a meter measures, at an instant.
SELECT DISTINCT p.protected_by, p.until
FROM devices.meter_installations i
JOIN customers.service_points sp ON sp.service_point_id = i.service_point_id
LEFT JOIN customers.service_accounts a ON a.service_point_id = sp.service_point_id AND a.active_period @> %(at)s::timestamptz
LEFT JOIN customers.customers c ON c.customer_id = a.customer_id
CROSS JOIN LATERAL (
    SELECT 'critical facility' AS protected_by, NULL::timestamptz AS until WHERE sp.is_critical
    UNION ALL SELECT 'protected customer', NULL WHERE c.is_protected
    UNION ALL SELECT replace(o.protection_kind, '_', ' '), upper(o.protected_period) FROM customers.protections o WHERE o.customer_id = c.customer_id AND o.protected_period @> %(at)s::timestamptz
    UNION ALL SELECT 'moratorium ' || m.moratorium_name, upper(m.moratorium_period) FROM customers.moratoria m
    WHERE m.moratorium_period @> %(at)s::timestamptz AND (m.commodity IS NULL OR m.commodity = sp.commodity) AND (m.customer_class IS NULL OR m.customer_class = c.customer_class)
      AND (m.service_zone_id IS NULL OR m.service_zone_id = sp.service_zone_id)
) AS p
WHERE i.meter_id = %(meter_id)s AND i.installed_period @> %(at)s::timestamptz
ORDER BY p.protected_by, p.until;

-- name: state_of_switch
-- Whether a meter's switch is connected or disconnected, as was last confirmed.
SELECT state, lower(period) FROM devices.service_states WHERE meter_id = %(meter_id)s AND upper_inf(period);

-- name: request
-- A command that is asked for; one of the same key is there already.
INSERT INTO devices.commands (meter_id, command_kind, arguments, command_status, reason, idempotency_key, requested_at, expires_at, approved_at, confirms_id)
VALUES (%(meter_id)s, %(command_kind)s, %(arguments)s, %(command_status)s, %(reason)s, %(idempotency_key)s, %(at)s, %(expires_at)s, %(approved_at)s, %(confirms_id)s)
ON CONFLICT ON CONSTRAINT an_order_is_carried_out_once DO NOTHING
RETURNING command_id;

-- name: command_of_key
-- The command that was asked for under a key.
SELECT command_id FROM devices.commands WHERE idempotency_key = %(idempotency_key)s;

-- name: commands
-- Commands, newest first, after one; of one meter, kind or state where it is given. One whose time is over before it was carried out is expired, whoever has noticed it.
SELECT c.command_id, c.meter_id, m.meter_number, c.command_kind, c.arguments,
       CASE WHEN c.command_status IN ('requested', 'approved') AND c.expires_at <= %(at)s THEN 'expired' ELSE c.command_status END AS command_status, c.reason, c.idempotency_key,
       c.requested_by, c.approved_by, c.approved_at, c.second_approval_because, c.second_approved_by, c.requested_at, c.expires_at, c.sent_at, c.attempts, c.leased_by, c.lease_ends_at,
       c.answered_at, c.result, c.confirms_id, c.finding
FROM devices.commands c JOIN devices.meters m ON m.meter_id = c.meter_id
WHERE (%(command_id)s::uuid IS NULL OR c.command_id = %(command_id)s)
  AND (%(meter_id)s::uuid IS NULL OR c.meter_id = %(meter_id)s)
  AND (%(command_kind)s::text IS NULL OR c.command_kind = %(command_kind)s)
  AND (%(command_status)s::text IS NULL OR CASE WHEN c.command_status IN ('requested', 'approved') AND c.expires_at <= %(at)s THEN 'expired' ELSE c.command_status END = %(command_status)s)
  AND (%(before_at)s::timestamptz IS NULL OR (c.requested_at, c.command_id) < (%(before_at)s, %(before_id)s::uuid))
ORDER BY c.requested_at DESC, c.command_id DESC
LIMIT %(limit)s;

-- name: lock_command
-- One command, for a change of it.
SELECT command_id FROM devices.commands WHERE command_id = %(command_id)s FOR UPDATE;

-- name: disconnects_approved_since
-- How many disconnects were approved since an instant and not taken back.
SELECT count(*) FROM devices.commands
WHERE command_kind = 'disconnect' AND approved_at > %(since)s AND command_status NOT IN ('cancelled', 'expired') AND command_id <> %(command_id)s;

-- name: approve
-- A command is approved.
UPDATE devices.commands SET command_status = 'approved', approved_by = current_setting('app.actor'), approved_at = %(at)s WHERE command_id = %(command_id)s;

-- name: approve_first
-- A command is approved by one person and needs another one.
UPDATE devices.commands SET approved_by = current_setting('app.actor'), approved_at = %(at)s, second_approval_because = %(because)s WHERE command_id = %(command_id)s;

-- name: approve_second
-- The other person approves too.
UPDATE devices.commands SET command_status = 'approved', second_approved_by = current_setting('app.actor') WHERE command_id = %(command_id)s;

-- name: cancel
-- A command is taken back before it went out.
UPDATE devices.commands SET command_status = 'cancelled', answered_at = %(at)s, finding = %(finding)s WHERE command_id = %(command_id)s;

-- name: sent_since
-- How many commands went out since an instant.
SELECT count(*) FROM devices.commands WHERE sent_at > %(since)s;

-- name: claimable
-- Commands that may go out, the most urgent first: switching back on, then what people wait for. Of those that went out, the ones nobody has heard of since.
SELECT c.command_id, c.meter_id, c.command_kind FROM devices.commands c
WHERE c.meter_id IS NOT NULL AND (c.command_status = 'approved' AND c.expires_at > %(at)s OR c.command_status = 'sent' AND c.lease_ends_at <= %(at)s AND c.attempts < %(most)s)
ORDER BY c.command_kind <> 'connect', c.confirms_id IS NULL, c.requested_at, c.command_id
LIMIT %(limit)s
FOR UPDATE SKIP LOCKED;

-- name: send
-- Commands go out with a worker, for a time.
UPDATE devices.commands SET command_status = 'sent', sent_at = %(at)s, attempts = attempts + 1, leased_by = %(worker)s, lease_ends_at = %(lease_ends_at)s
WHERE command_id = ANY (%(command_ids)s);

-- name: acknowledge
-- The meter has taken a command.
UPDATE devices.commands SET command_status = 'acknowledged', answered_at = %(at)s, result = %(result)s, lease_ends_at = NULL WHERE command_id = %(command_id)s;

-- name: finish
-- A command is done, or has failed.
UPDATE devices.commands SET command_status = %(command_status)s, answered_at = coalesce(answered_at, %(at)s), result = coalesce(result, '{}') || %(result)s, finding = %(finding)s, lease_ends_at = NULL
WHERE command_id = %(command_id)s;

-- name: expire_waiting
-- Commands whose time was over before they went out.
UPDATE devices.commands SET command_status = 'expired', answered_at = %(at)s, finding = 'its time was over before it went out'
WHERE command_status IN ('requested', 'approved') AND expires_at <= %(at)s
RETURNING command_id;

-- name: fail_silent
-- Commands that went out as often as they may, or whose time is over, and of which nothing was heard, or no more than that the meter has taken them.
UPDATE devices.commands
SET command_status = CASE WHEN command_status = 'sent' AND attempts < %(most)s THEN 'expired' ELSE 'failed' END, answered_at = coalesce(answered_at, %(at)s), lease_ends_at = NULL,
    finding = CASE command_status WHEN 'sent' THEN 'nothing was heard after it went out, times ' || attempts ELSE 'the meter took it and never answered' END
WHERE (command_status = 'sent' AND lease_ends_at <= %(at)s AND (attempts >= %(most)s OR expires_at <= %(at)s))
   OR (command_status = 'acknowledged' AND expires_at <= %(at)s AND command_kind NOT IN ('connect', 'disconnect'))
RETURNING command_id, meter_id, command_kind, confirms_id;

-- name: fail_unconfirmed
-- Switchings that the meter took and that no read or ping could confirm in time.
UPDATE devices.commands s SET command_status = 'failed', finding = 'no read or ping confirmed it'
WHERE s.command_status = 'acknowledged' AND s.command_kind IN ('connect', 'disconnect')
  AND EXISTS (SELECT FROM devices.commands p WHERE p.confirms_id = s.command_id AND p.command_status IN ('failed', 'expired', 'cancelled'))
  AND NOT EXISTS (SELECT FROM devices.commands p WHERE p.confirms_id = s.command_id AND p.command_status IN ('requested', 'approved', 'sent', 'acknowledged', 'done'))
RETURNING s.command_id;

-- name: end_state
-- The state that the switch was in until now.
UPDATE devices.service_states SET period = tstzrange(lower(period), %(at)s) WHERE meter_id = %(meter_id)s AND upper_inf(period) AND lower(period) < %(at)s;

-- name: begin_state
-- The state that the switch is in from an instant on.
INSERT INTO devices.service_states (meter_id, state, period, command_id) VALUES (%(meter_id)s, %(state)s, tstzrange(%(at)s, NULL), %(command_id)s);
