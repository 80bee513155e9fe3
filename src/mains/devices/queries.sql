-- name: meters_by_number
-- Meters by the numbers that files name them by.
SELECT meter_id, meter_number, commodity, manufacturer, model, dial_digits, meter_status, registered_by FROM devices.meters WHERE meter_number = ANY (%(numbers)s);

-- name: meters_page
-- Meters in order of their numbers, after one; of one status where it is given.
SELECT meter_id, meter_number, commodity, manufacturer, model, dial_digits, meter_status, registered_by
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
