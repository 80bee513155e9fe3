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
