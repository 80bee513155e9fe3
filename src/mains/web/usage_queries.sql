-- name: nearest_station
-- The weather station nearest to where an agreement is supplied.
SELECT s.weather_station_id, s.station_name
FROM customers.service_accounts a
JOIN customers.service_points sp ON sp.service_point_id = a.service_point_id
JOIN customers.premises p ON p.premise_id = sp.premise_id
JOIN network.weather_stations s ON s.utility_id = a.utility_id
WHERE a.account_id = %(account_id)s
ORDER BY s.geolocation <-> p.geolocation NULLS LAST, s.station_code LIMIT 1;

-- name: mean_temperatures
-- The mean temperature observed at a station between each instant and the next, °C; NULL where nothing was observed.
SELECT (SELECT avg(latest.temperature_c) FROM (
    SELECT DISTINCT ON (o.valid_at) o.temperature_c FROM network.weather_observations o
    WHERE o.weather_station_id = %(station_id)s AND NOT o.is_forecast AND o.valid_at >= span.from_at AND o.valid_at < span.to_at
    ORDER BY o.valid_at, o.issued_at DESC) AS latest) AS temperature_c
FROM unnest(%(starts)s::timestamptz[], %(ends)s::timestamptz[]) WITH ORDINALITY AS span (from_at, to_at, n)
ORDER BY span.n;

-- name: homes_alike
-- Channels of other premises of the same kind in the same zone, supplied with the same commodity and metered at the same intervals all through a stretch of time: those whose
-- keys follow that of the agreement, and from the first on where these are too few.
WITH own AS (
    SELECT a.account_id, a.commodity, p.premise_type, sp.service_zone_id, z.zone_name, (
        SELECT c.interval_s FROM devices.meter_installations i JOIN metering.channels c ON c.meter_id = i.meter_id AND c.commodity = a.commodity AND c.interval_s IS NOT NULL
        WHERE i.service_point_id = a.service_point_id AND c.flow IN ('delivered', 'net', 'total') AND c.quantity IN ('energy', 'volume', 'heat')
        ORDER BY i.installed_period DESC, c.channel_id LIMIT 1) AS interval_s
    FROM customers.service_accounts a
    JOIN customers.service_points sp ON sp.service_point_id = a.service_point_id
    JOIN customers.premises p ON p.premise_id = sp.premise_id
    LEFT JOIN network.service_zones z ON z.zone_id = sp.service_zone_id
    WHERE a.account_id = %(account_id)s
)
SELECT alike.channel_id, alike.unit, alike.units_per_step, own.interval_s, own.premise_type, own.zone_name
FROM own CROSS JOIN LATERAL (
    (SELECT 1 AS turn, a.account_id, c.channel_id, c.unit, c.multiplier * 10::numeric ^ c.pow10 AS units_per_step
     FROM customers.service_accounts a
     JOIN customers.service_points sp ON sp.service_point_id = a.service_point_id AND sp.service_zone_id IS NOT DISTINCT FROM own.service_zone_id
     JOIN customers.premises p ON p.premise_id = sp.premise_id AND p.premise_type = own.premise_type
     JOIN devices.meter_installations i ON i.service_point_id = a.service_point_id AND i.installed_period @> tstzrange(%(from_at)s, %(to_at)s)
     JOIN metering.channels c ON c.meter_id = i.meter_id AND c.commodity = a.commodity AND c.interval_s = own.interval_s AND c.flow IN ('delivered', 'net', 'total')
          AND c.quantity IN ('energy', 'volume', 'heat')
     WHERE a.account_id > own.account_id AND a.commodity = own.commodity AND a.active_period @> tstzrange(%(from_at)s, %(to_at)s)
     ORDER BY a.account_id LIMIT %(most)s)
    UNION ALL
    (SELECT 2, a.account_id, c.channel_id, c.unit, c.multiplier * 10::numeric ^ c.pow10
     FROM customers.service_accounts a
     JOIN customers.service_points sp ON sp.service_point_id = a.service_point_id AND sp.service_zone_id IS NOT DISTINCT FROM own.service_zone_id
     JOIN customers.premises p ON p.premise_id = sp.premise_id AND p.premise_type = own.premise_type
     JOIN devices.meter_installations i ON i.service_point_id = a.service_point_id AND i.installed_period @> tstzrange(%(from_at)s, %(to_at)s)
     JOIN metering.channels c ON c.meter_id = i.meter_id AND c.commodity = a.commodity AND c.interval_s = own.interval_s AND c.flow IN ('delivered', 'net', 'total')
          AND c.quantity IN ('energy', 'volume', 'heat')
     WHERE a.account_id < own.account_id AND a.commodity = own.commodity AND a.active_period @> tstzrange(%(from_at)s, %(to_at)s)
     ORDER BY a.account_id LIMIT %(most)s)
    ORDER BY turn, account_id LIMIT %(most)s
) AS alike;

-- name: standing_bills
-- The bills of an agreement that stand and touch a stretch of time, oldest first.
SELECT b.bill_id, b.billing_period_start, b.billing_period_end, b.usage_unit, sp.timezone
FROM billing.bills b
JOIN customers.service_accounts a ON a.account_id = b.account_id
JOIN customers.service_points sp ON sp.service_point_id = a.service_point_id
WHERE b.account_id = %(account_id)s AND b.billing_status = 'issued' AND b.billing_period_start::timestamp AT TIME ZONE sp.timezone < %(to_at)s
  AND b.billing_period_end::timestamp AT TIME ZONE sp.timezone > %(from_at)s
ORDER BY b.billing_period_start, b.revision;
