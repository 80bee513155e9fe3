-- name: days_to_compare
-- For each utility the newest day that has sums and nothing stale, and one in its past that is another one each day of the year.
SELECT u.utility_id, d.newest, (SELECT max(p.utc_date) FROM metering.rollup_days p WHERE p.utility_id = u.utility_id AND p.utc_date <= d.oldest + (extract(doy FROM clock_timestamp())::integer * 7919) % (d.newest - d.oldest + 1)
                                  AND NOT EXISTS (SELECT FROM metering.rollups_stale s WHERE s.utility_id = u.utility_id AND p.utc_date BETWEEN s.from_date AND s.to_date)
                                  AND NOT EXISTS (SELECT FROM metering.archive_manifests a WHERE a.utility_id = u.utility_id AND p.utc_date >= a.month_start - 1 AND p.utc_date <= a.month_start + interval '1 month'))
FROM network.utilities u
CROSS JOIN LATERAL (
    SELECT max(r.utc_date) AS newest, min(r.utc_date) AS oldest FROM metering.rollup_days r
    WHERE r.utility_id = u.utility_id AND NOT EXISTS (SELECT FROM metering.rollups_stale s WHERE s.utility_id = u.utility_id AND r.utc_date BETWEEN s.from_date AND s.to_date)
) AS d
WHERE d.newest IS NOT NULL;

-- name: stale_for_long
-- Stretches of days that have waited for more than a day to be summed anew: how many, from when to when.
SELECT count(*), min(from_date), max(to_date) FROM metering.rollups_stale WHERE noted_at < %(at)s - interval '1 day';
