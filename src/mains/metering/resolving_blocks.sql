-- name: channels_of_keys
-- The channel of each (meter, register) that was in service during the whole of a stretch of time, strung together for all channels that are alike: place of the key
-- (from 1), channel, and whether its meter hung somewhere all that time (2), some of it (1) or never (0), as int4, int8 and int2 in network order.
WITH keyed AS MATERIALIZED (
    SELECT k.place, k.register, m.meter_id, m.commodity
    FROM unnest(%(meters)s::text[], %(registers)s::text[]) WITH ORDINALITY AS k (meter_number, register, place) JOIN devices.meters m ON m.meter_number = k.meter_number
)
SELECT m.commodity, c.quantity, c.flow, c.unit, c.pow10, c.multiplier, c.interval_s, c.utc_offset_min,
       string_agg(int4send(m.place::integer) || int8send(c.channel_id) || int2send((CASE WHEN hung.all_the_time THEN 2 WHEN hung.meter_id IS NOT NULL THEN 1 ELSE 0 END)::smallint), ''::bytea)
FROM keyed m
JOIN metering.channels c ON c.meter_id = m.meter_id AND c.register = m.register AND c.in_service @> tstzrange(%(from_at)s, %(to_at)s)
LEFT JOIN (
    SELECT i.meter_id, range_agg(i.installed_period) @> tstzrange(%(from_at)s, %(to_at)s) AS all_the_time
    FROM devices.meter_installations i WHERE i.meter_id IN (SELECT k.meter_id FROM keyed k)
    GROUP BY i.meter_id
) AS hung ON hung.meter_id = m.meter_id
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8;

-- name: join_many
-- How the planner may join, for this transaction: with many keys never one by one, whatever it believes about tables that were filled a moment ago.
SELECT set_config('enable_nestloop', %(nestloop)s, true);
