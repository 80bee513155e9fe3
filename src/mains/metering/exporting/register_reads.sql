-- name: usages
-- Current usages that begin in the stretch of time asked of each channel.
SELECT asked.n, extract(epoch FROM r.from_at)::bigint AS start, extract(epoch FROM r.read_at)::bigint AS stop, r.raw, r.quality
FROM unnest(%(channels)s::bigint[], %(starts)s::timestamptz[], %(ends)s::timestamptz[]) WITH ORDINALITY AS asked (channel_id, from_at, to_at, n)
JOIN metering.register_reads r ON r.channel_id = asked.channel_id AND r.read_at > asked.from_at
WHERE r.read_kind = 'usage' AND r.is_current AND r.from_at >= asked.from_at AND r.from_at < asked.to_at
ORDER BY asked.n, r.from_at;

-- name: count_indexes
-- How many current figures of dials were read in the stretches of time asked.
SELECT count(*)
FROM unnest(%(channels)s::bigint[], %(starts)s::timestamptz[], %(ends)s::timestamptz[]) AS asked (channel_id, from_at, to_at)
JOIN metering.register_reads r ON r.channel_id = asked.channel_id AND r.read_at >= asked.from_at AND r.read_at < asked.to_at
WHERE r.read_kind = 'index' AND r.is_current;
