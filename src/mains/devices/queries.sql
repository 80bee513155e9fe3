-- name: meters_by_number
-- Meters by the numbers that files name them by.
SELECT meter_id, meter_number, commodity, manufacturer, model, dial_digits, meter_status, registered_by, meter_model_id
FROM devices.meters WHERE meter_number = ANY (%(numbers)s);

-- name: meter_by_id
-- One meter.
SELECT meter_id, meter_number, commodity, manufacturer, model, dial_digits, meter_status, registered_by, meter_model_id FROM devices.meters WHERE meter_id = %(meter_id)s;

-- name: meters_page
-- Meters in order of their numbers, after one; of one status where it is given.
SELECT meter_id, meter_number, commodity, manufacturer, model, dial_digits, meter_status, registered_by, meter_model_id
FROM devices.meters
WHERE meter_number > %(after)s AND (%(status)s::text IS NULL OR meter_status = %(status)s)
ORDER BY meter_number
LIMIT %(limit)s;

-- name: installations_of
-- Where meters hung, and from when to when; to_at is NULL while one hangs there.
SELECT meter_installation_id, meter_id, service_point_id, lower(installed_period) AS from_at, upper(installed_period) AS to_at, reason
FROM devices.meter_installations
WHERE meter_id = ANY (%(meters)s)
ORDER BY meter_id, lower(installed_period);

-- name: model_by_code
-- A type of meter.
SELECT meter_model_id, model_code, commodity, manufacturer, model, dial_digits, has_switch FROM devices.meter_models WHERE model_code = %(model_code)s;

-- name: models
-- Types of meters by code.
SELECT meter_model_id, model_code, commodity, manufacturer, model, dial_digits, has_switch FROM devices.meter_models ORDER BY model_code;

-- name: model_channels
-- What a type of meter measures.
SELECT register, unit, flow, pow10, multiplier, interval_s FROM devices.meter_model_channels WHERE meter_model_id = %(meter_model_id)s ORDER BY register;

-- name: has_switch
-- Whether a meter's type can be switched from afar; NULL where it has no type.
SELECT t.has_switch FROM devices.meters m LEFT JOIN devices.meter_models t USING (meter_model_id) WHERE m.meter_id = %(meter_id)s;

-- name: service_point
-- Where a meter can hang.
SELECT service_point_id, service_point_number, commodity, timezone FROM customers.service_points WHERE service_point_id = %(service_point_id)s;

-- name: service_point_by_number
-- The same, by the number of the point.
SELECT service_point_id, service_point_number, commodity, timezone FROM customers.service_points WHERE service_point_number = %(number)s;

-- name: meters_at
-- Numbers of the meters that hang at a service point at an instant or later.
SELECT m.meter_number FROM devices.meter_installations i JOIN devices.meters m USING (meter_id)
WHERE i.service_point_id = %(service_point_id)s AND i.installed_period && tstzrange(%(at)s, NULL)
ORDER BY lower(i.installed_period), m.meter_number;

-- name: steps_of
-- The life of a meter, in order.
SELECT step, stepped_at, recorded_at, meter_installation_id, reason, actor FROM devices.meter_steps WHERE meter_id = %(meter_id)s ORDER BY stepped_at, meter_step_id;

-- name: commissionings_of
-- Tests of a meter, in order.
SELECT c.meter_installation_id, c.register, c.commissioned_at, c.outcome, c.finding, lower(c.compared_period) AS from_at, upper(c.compared_period) AS to_at, c.interval_total,
       c.register_total, c.tolerance, c.unit, c.actor
FROM devices.commissionings c JOIN devices.meter_installations i USING (meter_installation_id)
WHERE i.meter_id = %(meter_id)s
ORDER BY c.commissioned_at, c.register;

-- name: service_states_of
-- When the switch of a meter was open or closed.
SELECT state, lower(period) AS from_at, upper(period) AS to_at, command_id FROM devices.service_states WHERE meter_id = %(meter_id)s ORDER BY period;
