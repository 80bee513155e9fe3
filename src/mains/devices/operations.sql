-- name: register_meters
-- Meters that are new; a number that is there already stays as it is.
INSERT INTO devices.meters (meter_number, commodity, manufacturer, model, dial_digits, meter_status, registered_by)
SELECT n.meter_number, n.commodity, n.manufacturer, n.model, n.dial_digits, n.meter_status, n.registered_by
FROM unnest(%(numbers)s::text[], %(commodities)s::text[], %(manufacturers)s::text[], %(models)s::text[], %(digits)s::smallint[], %(statuses)s::text[], %(by)s::text[])
    AS n (meter_number, commodity, manufacturer, model, dial_digits, meter_status, registered_by)
ORDER BY n.meter_number
ON CONFLICT (utility_id, meter_number) DO NOTHING;

-- name: meter_ids
-- Keys of meters by number.
SELECT meter_number, meter_id FROM devices.meters WHERE meter_number = ANY (%(numbers)s);

-- name: install_meter
-- A meter hangs at a service point from an instant on.
INSERT INTO devices.meter_installations (meter_id, service_point_id, installed_period, reason)
VALUES (%(meter_id)s, %(service_point_id)s, tstzrange(%(from_at)s, %(to_at)s), %(reason)s)
RETURNING meter_installation_id;

-- name: remove_meter
-- The installation that is open at an instant ends there.
UPDATE devices.meter_installations SET installed_period = tstzrange(lower(installed_period), %(at)s)
WHERE meter_id = %(meter_id)s AND installed_period @> %(at)s::timestamptz AND lower(installed_period) < %(at)s
RETURNING meter_installation_id;

-- name: set_status
-- A meter's state.
UPDATE devices.meters SET meter_status = %(status)s WHERE meter_id = %(meter_id)s AND meter_status <> %(status)s;

-- name: define_model
-- A type of meter, new or changed.
INSERT INTO devices.meter_models (model_code, commodity, manufacturer, model, dial_digits, has_switch)
VALUES (%(model_code)s, %(commodity)s, %(manufacturer)s, %(model)s, %(dial_digits)s, %(has_switch)s)
ON CONFLICT (utility_id, model_code) DO UPDATE
SET commodity = excluded.commodity, manufacturer = excluded.manufacturer, model = excluded.model, dial_digits = excluded.dial_digits, has_switch = excluded.has_switch
RETURNING meter_model_id;

-- name: drop_model_channels
-- What a type measured before it was changed.
DELETE FROM devices.meter_model_channels WHERE meter_model_id = %(meter_model_id)s;

-- name: define_model_channels
-- What a type measures.
INSERT INTO devices.meter_model_channels (meter_model_id, register, flow, unit, pow10, multiplier, interval_s)
SELECT %(meter_model_id)s, c.register, c.flow, c.unit, c.pow10, c.multiplier, c.interval_s
FROM unnest(%(register)s::text[], %(flow)s::text[], %(unit)s::text[], %(pow10)s::smallint[], %(multiplier)s::numeric[], %(interval_s)s::integer[])
    AS c (register, flow, unit, pow10, multiplier, interval_s);

-- name: register_meter
-- A meter that is new, in inventory.
INSERT INTO devices.meters (meter_number, commodity, manufacturer, model, dial_digits, meter_status, meter_model_id)
VALUES (%(meter_number)s, %(commodity)s, %(manufacturer)s, %(model)s, %(dial_digits)s, 'inventory', %(meter_model_id)s)
RETURNING meter_id;

-- name: lock_meter
-- One meter, for a step of it.
SELECT meter_id FROM devices.meters WHERE meter_id = %(meter_id)s FOR UPDATE;

-- name: last_step
-- When a meter last took a step or was hung or taken down, and whether it was hung then.
SELECT greatest(s.stepped_at, i.installed_at, i.removed_at), i.removed_at IS NULL AND i.installed_at IS NOT NULL
FROM (SELECT max(stepped_at) AS stepped_at FROM devices.meter_steps WHERE meter_id = %(meter_id)s) AS s
LEFT JOIN (
    SELECT lower(installed_period) AS installed_at, upper(installed_period) AS removed_at FROM devices.meter_installations WHERE meter_id = %(meter_id)s
    ORDER BY installed_period DESC LIMIT 1
) AS i ON true;

-- name: note_step
-- A step of a meter.
INSERT INTO devices.meter_steps (meter_id, step, stepped_at, recorded_at, meter_installation_id, reason)
VALUES (%(meter_id)s, %(step)s, %(at)s, %(now)s, %(installation)s, %(reason)s);

-- name: give_reason
-- Why, for the audit log.
SELECT set_config('app.reason', %(reason)s, true);

-- name: record_commissioning
-- What a test of an installed meter found.
INSERT INTO devices.commissionings (meter_installation_id, register, commissioned_at, outcome, finding, compared_period, interval_total, register_total, tolerance, unit)
VALUES (%(meter_installation_id)s, %(register)s, %(commissioned_at)s, %(outcome)s, %(finding)s,
        CASE WHEN %(from_at)s::timestamptz IS NOT NULL THEN tstzrange(%(from_at)s, %(to_at)s) END, %(interval_total)s, %(register_total)s, %(tolerance)s, %(unit)s);

-- name: end_service_states
-- The switch of a meter that is taken down has no state any more; of one that was found later (the removal was entered late) a moment is left as its record.
UPDATE devices.service_states SET period = tstzrange(lower(period), greatest(%(at)s, lower(period) + interval '1 microsecond')) WHERE meter_id = %(meter_id)s AND upper_inf(period);

-- name: cancel_commands_of
-- Commands to a meter that were not sent yet are taken back.
UPDATE devices.commands SET command_status = 'cancelled', answered_at = %(at)s, finding = %(finding)s
WHERE meter_id = %(meter_id)s AND command_status IN ('requested', 'approved');
