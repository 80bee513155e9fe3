-- name: act_as_founder
-- The administrator acts as the owner of the tables, under the demo's name, to set up a utility.
SELECT set_config('role', 'mains_owner', true), set_config('app.actor', 'system:demo', true);

-- name: found_utility
-- A utility of the demo.
SELECT network.found_utility(%(key)s, %(name)s, %(code)s, %(kind)s, %(commodities)s, 'USD', %(timezone)s);

-- name: describe_utility
-- Where a utility serves, who regulates it, and how its customers reach it.
UPDATE network.utilities SET service_area = %(service_area)s::polygon, regulator_name = %(regulator_name)s, contact_address = %(contact_address)s WHERE utility_id = %(key)s;

-- name: analyze_seeded
-- Tells the planner what seeding brought.
ANALYZE network.nodes, network.edges, customers.customers, customers.premises, customers.service_points, customers.service_accounts, customers.rate_assignments,
    devices.meters, devices.meter_installations, metering.channels;

-- name: analyze_reads
-- Tells the planner what register reads there are.
ANALYZE metering.register_reads;

-- name: analyze_first_bills
-- Tells the planner that there are bills by now.
ANALYZE billing.bills;

-- name: analyze_bills
-- Tells the planner what the bill runs brought.
ANALYZE billing.bills, billing.bill_lines;

-- name: analyze_ledger
-- Tells the planner what the postings brought.
ANALYZE payments.ledger_transactions, payments.ledger_entries, payments.payments;

-- name: ensure_sensor_months
-- Makes the months that sensor readings need.
SELECT devices.ensure_partitions(%(from_at)s, %(to_at)s);

-- name: analyse_usage
-- Electricity by local day, for the utility and each zone, from the sums by quarter of an hour; with the cuts that began on the day.
INSERT INTO insights.usage_analytics (report_date, service_zone_id, commodity, customers_served, total_usage, peak_load_mw, readings_expected, readings_received, readings_estimated,
    customers_interrupted, customer_minutes_interrupted, calculated_at)
WITH u AS MATERIALIZED (SELECT utility_id, timezone FROM network.utilities),
quarters AS MATERIALIZED (
    SELECT (s.starts_at AT TIME ZONE u.timezone)::date AS report_date, s.zone_id, sum(s.total) AS total, sum(s.readings) AS received, sum(s.estimated) AS estimated
    FROM metering.zone_sums(NULL, '-infinity', 'infinity') AS s CROSS JOIN u
    WHERE s.commodity = 'electric' AND s.flow = 'delivered' AND s.readings > 0
    GROUP BY GROUPING SETS ((1, s.starts_at, s.zone_id), (1, s.starts_at))
), days AS MATERIALIZED (
    SELECT report_date, zone_id, sum(total) / 1000 AS kwh, max(total) * 4 / 1000000 AS peak_mw, sum(received) AS received, sum(estimated) AS estimated, count(*) AS quarters
    FROM quarters WHERE zone_id IS DISTINCT FROM '00000000-0000-0000-0000-000000000000'
    GROUP BY 1, 2
), facts AS (
    SELECT report_date, zone_id, kwh, peak_mw, received, estimated, quarters, 0::bigint AS customers, 0::bigint AS interrupted, 0::numeric AS minutes FROM days
    UNION ALL
    SELECT d.report_date, p.service_zone_id, 0, NULL, 0, 0, 0, count(*), 0, 0
    FROM (SELECT DISTINCT report_date FROM days) AS d CROSS JOIN u
    JOIN customers.service_accounts a ON a.commodity = 'electric' AND a.active_period @> ((d.report_date + time '12:00') AT TIME ZONE u.timezone)
    JOIN customers.service_points p ON p.service_point_id = a.service_point_id
    GROUP BY GROUPING SETS ((d.report_date, p.service_zone_id), (d.report_date))
    UNION ALL
    SELECT (s.starts_at AT TIME ZONE u.timezone)::date, s.service_zone_id, 0, NULL, 0, 0, 0, 0, sum(s.customers_interrupted),
           sum(s.customers_interrupted * extract(epoch FROM s.restored_at - s.starts_at) / 60)
    FROM outages.interruption_steps s CROSS JOIN u WHERE s.restored_at IS NOT NULL
    GROUP BY GROUPING SETS ((1, s.service_zone_id), (1))
)
SELECT report_date, zone_id, 'electric', sum(customers), sum(kwh), max(peak_mw), greatest(sum(received), sum(customers) * sum(quarters)), sum(received), sum(estimated),
       sum(interrupted), sum(minutes), %(at)s
FROM facts GROUP BY report_date, zone_id HAVING sum(quarters) >= 92 AND sum(customers) > 0;

-- name: measure_reliability
-- Reliability by month, for the utility, from the days.
INSERT INTO insights.kpi_values (kpi_code, period_start, period_end, numerator, denominator, calculated_at)
SELECT k.code, m.first_date, (m.first_date + interval '1 month')::date, CASE k.code WHEN 'saidi_minutes' THEN m.minutes ELSE m.interrupted END, m.served, %(at)s
FROM (SELECT date_trunc('month', report_date)::date AS first_date, sum(customer_minutes_interrupted) AS minutes, sum(customers_interrupted) AS interrupted, round(avg(customers_served)) AS served
      FROM insights.usage_analytics WHERE commodity = 'electric' AND service_zone_id IS NULL GROUP BY 1) AS m
CROSS JOIN (VALUES ('saidi_minutes'), ('saifi')) AS k (code)
WHERE m.served > 0;
