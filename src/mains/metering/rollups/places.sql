-- name: version
-- State of the places of a utility; absent where nothing was ever stored or hung.
SELECT places_version FROM metering.rollup_places WHERE utility_id = %(utility_id)s;

-- name: places
-- Which sums channels belong to, a row a kind: what they measure, the zone, and then their keys with the stretch of time in each, microseconds from 2000 (the smallest and the largest number for no end).
SELECT c.commodity, c.flow, c.unit, c.pow10, c.multiplier, sp.service_zone_id, array_agg(c.channel_id),
       array_agg(CASE WHEN i.meter_id IS NULL THEN '-infinity' ELSE coalesce(lower(i.installed_period), '-infinity') END),
       array_agg(CASE WHEN i.meter_id IS NULL THEN 'infinity' ELSE coalesce(upper(i.installed_period), 'infinity') END)
FROM metering.channels c
LEFT JOIN devices.meter_installations i ON i.meter_id = c.meter_id
LEFT JOIN customers.service_points sp ON sp.service_point_id = i.service_point_id
WHERE c.channel_id = ANY (%(channels)s)
GROUP BY c.commodity, c.flow, c.unit, c.pow10, c.multiplier, sp.service_zone_id;
