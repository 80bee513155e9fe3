-- name: at_service_point
-- Channels of the meters that hung at a service point in a stretch of time, with the part of it in which they did.
SELECT c.channel_id, p.service_point_number, p.timezone, lower(held.at) AS from_at, upper(held.at) AS to_at
FROM customers.service_points p
JOIN devices.meter_installations i ON i.service_point_id = p.service_point_id
JOIN metering.channels c ON c.meter_id = i.meter_id
CROSS JOIN LATERAL (SELECT i.installed_period * c.in_service * tstzrange(%(from_at)s, %(to_at)s) AS at) AS held
WHERE p.service_point_number = %(number)s AND NOT isempty(held.at)
ORDER BY c.channel_id, from_at;

-- name: of_account
-- Channels of the meters that hung at an account's service point in a stretch of time, with the part of it in which they did and the account was active.
SELECT c.channel_id, p.service_point_number, p.timezone, lower(held.at) AS from_at, upper(held.at) AS to_at
FROM customers.service_accounts a
JOIN customers.service_points p ON p.service_point_id = a.service_point_id
JOIN devices.meter_installations i ON i.service_point_id = p.service_point_id
JOIN metering.channels c ON c.meter_id = i.meter_id
CROSS JOIN LATERAL (SELECT i.installed_period * a.active_period * c.in_service * tstzrange(%(from_at)s, %(to_at)s) AS at) AS held
WHERE a.account_number = %(number)s AND NOT isempty(held.at)
ORDER BY c.channel_id, from_at;
