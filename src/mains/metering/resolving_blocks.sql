-- name: channels_of_keys
-- The channel of each (meter, register) that was in service during the whole of a stretch of time, strung together for all channels that are alike: place of the key
-- (from 1), channel, and whether its meter hung somewhere all that time (2), some of it (1) or never (0), as int4, int8 and int2 in network order.
SELECT m.commodity, c.quantity, c.flow, c.unit, c.pow10, c.multiplier, c.interval_s, c.utc_offset_min,
       string_agg(int4send(k.place::integer) || int8send(c.channel_id) || int2send(hung.state::smallint), ''::bytea)
FROM unnest(%(meters)s::text[], %(registers)s::text[]) WITH ORDINALITY AS k (meter_number, register, place)
JOIN devices.meters m ON m.meter_number = k.meter_number
JOIN metering.channels c ON c.meter_id = m.meter_id AND c.register = k.register AND c.in_service @> tstzrange(%(from_at)s, %(to_at)s)
LEFT JOIN LATERAL (
    SELECT CASE WHEN range_agg(i.installed_period) @> tstzrange(%(from_at)s, %(to_at)s) THEN 2 WHEN count(*) > 0 THEN 1 ELSE 0 END AS state
    FROM devices.meter_installations i WHERE i.meter_id = m.meter_id
) AS hung ON true
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8;
