-- name: push
-- Readings appended to the inbox.
INSERT INTO metering.reading_inbox (channel_id, reading_at, utility_id, raw, batch_id, quality)
SELECT n.channel_id, n.reading_at, %(utility_id)s::uuid, n.raw, %(batch_id)s::integer, n.quality
FROM unnest(%(channels)s, %(instants)s, %(raws)s, %(qualities)s) AS n (channel_id, reading_at, raw, quality);

-- name: current_utility
-- The utility this transaction works for.
SELECT identity.current_utility();

-- name: waiting_days
-- How many readings wait, by UTC day.
SELECT date_bin('1 day', reading_at, '2000-01-01 00:00+00') AS day, count(*)
FROM metering.reading_inbox
WHERE %(before)s::timestamptz IS NULL OR reading_at < %(before)s
GROUP BY day
ORDER BY day;

-- name: space
-- Bytes that the inbox of all utilities takes on the disk; what flushes freed and nothing has filled again is in it.
SELECT pg_relation_size('metering.reading_inbox');

-- name: count_up_to
-- How many readings wait, counted no further than asked.
SELECT count(*) FROM (SELECT FROM metering.reading_inbox LIMIT %(most)s) AS waiting;

-- name: channel_bounds
-- Channels that part what waits into shares.
SELECT percentile_disc(%(fractions)s::double precision[]) WITHIN GROUP (ORDER BY channel_id)
FROM metering.reading_inbox
WHERE %(before)s::timestamptz IS NULL OR reading_at < %(before)s;

-- name: begin_flush
-- Whether this transaction is the one that flushes; another one's flush is not waited for.
SELECT pg_try_advisory_xact_lock(hashtextextended('inbox of ' || identity.current_utility(), 0));

-- name: take
-- What waits for a range of channels, taken out, a column an array.
WITH taken AS (
    DELETE FROM metering.reading_inbox
    WHERE channel_id >= %(first)s AND channel_id < %(end)s AND (%(before)s::timestamptz IS NULL OR reading_at < %(before)s)
    RETURNING channel_id, reading_at, raw, quality, batch_id
)
SELECT array_agg(channel_id), array_agg(reading_at), array_agg(raw), array_agg(quality), array_agg(batch_id) FROM taken;

-- name: grids
-- How the intervals of channels lie, and when the channels are in service, in order of their keys; epoch microseconds from 2000-01-01.
SELECT array_agg(channel_id ORDER BY channel_id), array_agg(coalesce(interval_s, 0) ORDER BY channel_id), array_agg(utc_offset_min ORDER BY channel_id),
       array_agg(coalesce(lower(in_service), '-infinity') ORDER BY channel_id), array_agg(coalesce(upper(in_service), 'infinity') ORDER BY channel_id)
FROM metering.channels
WHERE channel_id = ANY (%(channels)s);

-- name: waiting
-- What waits for channels in a stretch of time, strung together: 26 bytes a reading; NULL where nothing does.
SELECT string_agg(int8send(channel_id) || timestamptz_send(reading_at) || int4send(raw) || int2send(quality) || int4send(batch_id), '')
FROM metering.reading_inbox
WHERE channel_id = ANY (%(channels)s) AND reading_at >= %(from_at)s AND reading_at < %(to_at)s;

-- name: keep_answer
-- The answer to a push under the name that its sender gave it; nothing where the name is taken.
INSERT INTO metering.push_keys (idempotency_key, sha256, answer, pushed_at) VALUES (%(key)s, %(sha256)s, %(answer)s, %(at)s)
ON CONFLICT DO NOTHING
RETURNING pushed_at;

-- name: answer_of
-- What was answered to a push of this name, and what it was.
SELECT sha256, answer FROM metering.push_keys WHERE idempotency_key = %(key)s;

-- name: drop_answers
-- Answers that are no longer given again.
DELETE FROM metering.push_keys WHERE pushed_at < %(before)s;
