-- What the numbers say: usage and reliability by day, key figures, and the two dashboards.
CREATE SCHEMA insights;
COMMENT ON SCHEMA insights IS 'Usage analytics by day and zone, key figures with their definitions, the operations dashboard and the control-centre view';
GRANT USAGE ON SCHEMA insights TO mains_any;

CREATE TABLE insights.usage_analytics (
    usage_analytics_id           uuid        PRIMARY KEY DEFAULT base.new_id(),
    utility_id                   uuid        NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    report_date                  date        NOT NULL,
    service_zone_id              uuid        REFERENCES network.service_zones,
    commodity                    text        NOT NULL DEFAULT 'electric' CHECK (commodity IN ('electric', 'gas', 'water')),
    customers_served             integer     NOT NULL CHECK (customers_served >= 0),
    total_usage                  numeric     NOT NULL,
    average_usage_per_customer   numeric     GENERATED ALWAYS AS (total_usage / nullif(customers_served, 0)) STORED,
    peak_load_mw                 numeric     CHECK (peak_load_mw >= 0),
    readings_expected            bigint      NOT NULL DEFAULT 0 CHECK (readings_expected >= 0),
    readings_received            bigint      NOT NULL DEFAULT 0 CHECK (readings_received >= 0),
    readings_estimated           bigint      NOT NULL DEFAULT 0 CHECK (readings_estimated >= 0),
    customers_interrupted        bigint      NOT NULL DEFAULT 0 CHECK (customers_interrupted >= 0),
    customer_minutes_interrupted numeric     NOT NULL DEFAULT 0 CHECK (customer_minutes_interrupted >= 0),
    saidi_hours                  numeric     GENERATED ALWAYS AS (customer_minutes_interrupted / 60 / nullif(customers_served, 0)) STORED,
    saifi_incidents              numeric     GENERATED ALWAYS AS (customers_interrupted::numeric / nullif(customers_served, 0)) STORED,
    calculated_at                timestamptz NOT NULL,
    CONSTRAINT one_row_a_day_and_zone UNIQUE NULLS NOT DISTINCT (utility_id, report_date, commodity, service_zone_id)
);
CREATE INDEX usage_analytics_of_zone ON insights.usage_analytics (service_zone_id);
COMMENT ON TABLE insights.usage_analytics IS 'Usage and reliability of a local day, for the whole utility or one zone; sums are kept, means and ratios follow from them';
COMMENT ON COLUMN insights.usage_analytics.usage_analytics_id IS 'Key';
COMMENT ON COLUMN insights.usage_analytics.utility_id IS 'The utility';
COMMENT ON COLUMN insights.usage_analytics.report_date IS 'Local date';
COMMENT ON COLUMN insights.usage_analytics.service_zone_id IS 'Zone; NULL for the whole utility';
COMMENT ON COLUMN insights.usage_analytics.commodity IS 'electric, gas or water';
COMMENT ON COLUMN insights.usage_analytics.customers_served IS 'Customers with service that day';
COMMENT ON COLUMN insights.usage_analytics.total_usage IS 'Usage of the day: kWh for electricity, m3 for gas and water';
COMMENT ON COLUMN insights.usage_analytics.average_usage_per_customer IS 'total_usage / customers_served: kWh or m3 a customer and day; NULL where nobody was served. To average over days, divide the sums';
COMMENT ON COLUMN insights.usage_analytics.peak_load_mw IS 'Highest mean load of an interval, MW; NULL where it is not electric';
COMMENT ON COLUMN insights.usage_analytics.readings_expected IS 'Readings the day should have';
COMMENT ON COLUMN insights.usage_analytics.readings_received IS 'Readings it has';
COMMENT ON COLUMN insights.usage_analytics.readings_estimated IS 'Of these, estimated or substituted';
COMMENT ON COLUMN insights.usage_analytics.customers_interrupted IS 'Customers in sustained interruptions that began that day, from the restoration steps';
COMMENT ON COLUMN insights.usage_analytics.customer_minutes_interrupted IS 'Their minutes without service';
COMMENT ON COLUMN insights.usage_analytics.saidi_hours IS 'SAIDI of the day, hours a customer served; a period''s is the sum of its days'' minutes over the customers, never a mean of these';
COMMENT ON COLUMN insights.usage_analytics.saifi_incidents IS 'SAIFI of the day, interruptions a customer served';
COMMENT ON COLUMN insights.usage_analytics.calculated_at IS 'When it was calculated';
SELECT identity.protect('insights.usage_analytics', staff => 'SIUD', regulator => 'service_zone_id IS NULL', auditor => true, audited => false, classification => 'internal');

CREATE TABLE insights.kpi_definitions (
    kpi_code         text    NOT NULL CHECK (kpi_code ~ '^[a-z0-9_]{1,60}$'),
    utility_id       uuid    NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    kpi_name         text    NOT NULL,
    formula          text    NOT NULL,
    unit             text    NOT NULL,
    target           numeric,
    is_higher_better boolean NOT NULL,
    is_public        boolean NOT NULL DEFAULT false,
    PRIMARY KEY (utility_id, kpi_code)
);
COMMENT ON TABLE insights.kpi_definitions IS 'Key figures: what each is, how it is calculated, in which unit, and what is good';
COMMENT ON COLUMN insights.kpi_definitions.kpi_code IS 'Short name, one in the utility';
COMMENT ON COLUMN insights.kpi_definitions.utility_id IS 'The utility';
COMMENT ON COLUMN insights.kpi_definitions.kpi_name IS 'Name people use';
COMMENT ON COLUMN insights.kpi_definitions.formula IS 'How it is calculated, in words, with its source';
COMMENT ON COLUMN insights.kpi_definitions.unit IS 'Unit of its values';
COMMENT ON COLUMN insights.kpi_definitions.target IS 'What is aimed for';
COMMENT ON COLUMN insights.kpi_definitions.is_higher_better IS 'Whether more is better';
COMMENT ON COLUMN insights.kpi_definitions.is_public IS 'Whether the regulator reads it';
SELECT identity.protect('insights.kpi_definitions', regulator => 'is_public', auditor => true, classification => 'internal');

CREATE TABLE insights.kpi_values (
    kpi_value_id    uuid        PRIMARY KEY DEFAULT base.new_id(),
    utility_id      uuid        NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    kpi_code        text        NOT NULL,
    period_start    date        NOT NULL,
    period_end      date        NOT NULL CHECK (period_end > period_start),
    service_zone_id uuid        REFERENCES network.service_zones,
    numerator       numeric     NOT NULL,
    denominator     numeric     CHECK (denominator <> 0),
    value           numeric     GENERATED ALWAYS AS (CASE WHEN denominator IS NULL THEN numerator ELSE numerator / denominator END) STORED,
    calculated_at   timestamptz NOT NULL,
    inputs          jsonb       NOT NULL DEFAULT '{}',
    FOREIGN KEY (utility_id, kpi_code) REFERENCES insights.kpi_definitions,
    CONSTRAINT one_value_a_period UNIQUE NULLS NOT DISTINCT (utility_id, kpi_code, period_start, period_end, service_zone_id)
);
CREATE INDEX kpi_values_of_zone ON insights.kpi_values (service_zone_id);
COMMENT ON TABLE insights.kpi_values IS 'Values of key figures by period, as ratios of sums, with what they were made from';
COMMENT ON COLUMN insights.kpi_values.kpi_value_id IS 'Key';
COMMENT ON COLUMN insights.kpi_values.utility_id IS 'The utility';
COMMENT ON COLUMN insights.kpi_values.kpi_code IS 'The key figure';
COMMENT ON COLUMN insights.kpi_values.period_start IS 'First local date';
COMMENT ON COLUMN insights.kpi_values.period_end IS 'Local date after the last one';
COMMENT ON COLUMN insights.kpi_values.service_zone_id IS 'Zone; NULL for the whole utility';
COMMENT ON COLUMN insights.kpi_values.numerator IS 'What is divided';
COMMENT ON COLUMN insights.kpi_values.denominator IS 'What it is divided by; NULL for a plain sum or where there is nothing to divide by';
COMMENT ON COLUMN insights.kpi_values.value IS 'The figure, in the unit of its definition';
COMMENT ON COLUMN insights.kpi_values.calculated_at IS 'When it was calculated';
COMMENT ON COLUMN insights.kpi_values.inputs IS 'Rows and versions behind it';
SELECT identity.protect('insights.kpi_values', staff => 'SIUD', regulator => 'EXISTS (SELECT 1 FROM insights.kpi_definitions d WHERE d.utility_id = kpi_values.utility_id AND d.kpi_code = kpi_values.kpi_code)', auditor => true, audited => false, classification => 'internal');

-- The dashboards. Each fact is aggregated alone, for its utility, and only then put beside the others; both run with the reader's rights; both read rollups, ledger
-- and states, never raw readings. "Now" is the database's clock, here and nowhere else; a day is a day of the utility's own zone.
CREATE VIEW insights.utility_operations_dashboard WITH (security_invoker = true) AS
SELECT u.utility_id, u.utility_name,
       coalesce(o.active_outages, 0) AS active_outages,
       coalesce(o.customers_out, 0) AS customers_affected_by_outages,
       coalesce(o.load_lost_mw, 0) AS current_load_lost_mw,
       coalesce(a.total_assets, 0) AS total_assets,
       coalesce(a.operational_assets, 0) AS operational_assets,
       round(100.0 * a.operational_assets / nullif(a.total_assets, 0), 1) AS asset_availability,
       coalesce(c.total_customers, 0) AS total_customers,
       coalesce(c.active_customers, 0) AS active_customers,
       round(ua.total_usage / nullif(ua.customer_days, 0), 3) AS avg_usage_per_customer,
       coalesce(r.outstanding, 0) AS outstanding_billings,
       coalesce(r.overdue, 0) AS overdue_billings,
       coalesce(r.overdue_bills, 0) AS overdue_bills,
       coalesce(d.total_devices, 0) AS total_smart_devices,
       coalesce(d.active_devices, 0) AS active_smart_devices,
       round(100.0 * d.heard_devices / nullif(d.active_devices, 0), 1) AS device_connectivity_rate
FROM network.utilities u
LEFT JOIN LATERAL (
    SELECT count(*) AS active_outages, sum(x.affected_customers - x.customers_restored) AS customers_out, sum(x.estimated_load_lost_mw) AS load_lost_mw
    FROM outages.outages x WHERE x.utility_id = u.utility_id AND x.outage_status IN ('reported', 'confirmed', 'crew_dispatched', 'repairing')
) AS o ON true
LEFT JOIN LATERAL (
    SELECT count(*) AS total_assets, count(*) FILTER (WHERE x.asset_status = 'operational') AS operational_assets
    FROM network.infrastructure_assets x WHERE x.utility_id = u.utility_id AND x.asset_status NOT IN ('planned', 'retired')
) AS a ON true
LEFT JOIN LATERAL (
    SELECT count(*) AS total_customers, count(*) FILTER (WHERE x.service_status = 'active') AS active_customers FROM customers.customers x WHERE x.utility_id = u.utility_id
) AS c ON true
LEFT JOIN LATERAL (
    SELECT sum(x.total_usage) AS total_usage, sum(x.customers_served) AS customer_days FROM insights.usage_analytics x
    WHERE x.utility_id = u.utility_id AND x.commodity = 'electric' AND x.service_zone_id IS NULL
      AND x.report_date >= (now() AT TIME ZONE u.timezone)::date - 30 AND x.report_date < (now() AT TIME ZONE u.timezone)::date
) AS ua ON true
LEFT JOIN LATERAL (
    SELECT sum(owed.balance) AS outstanding,
           sum(owed.balance) FILTER (WHERE b.due_date < (now() AT TIME ZONE u.timezone)::date AND owed.balance > 0) AS overdue,
           count(*) FILTER (WHERE b.due_date < (now() AT TIME ZONE u.timezone)::date AND owed.balance > 0) AS overdue_bills
    FROM (SELECT e.bill_id, sum(e.amount) AS balance FROM payments.ledger_entries e WHERE e.utility_id = u.utility_id AND e.ledger_account LIKE 'receivable%' GROUP BY e.bill_id) AS owed
    LEFT JOIN billing.bills b ON b.bill_id = owed.bill_id
) AS r ON true
LEFT JOIN LATERAL (
    SELECT count(*) AS total_devices, count(*) FILTER (WHERE x.device_status = 'active') AS active_devices,
           count(*) FILTER (WHERE x.device_status = 'active' AND x.last_communication >= now() - interval '1 hour') AS heard_devices
    FROM devices.smart_devices x WHERE x.utility_id = u.utility_id AND x.device_status <> 'retired'
) AS d ON true;
COMMENT ON VIEW insights.utility_operations_dashboard IS 'One row a utility: outages, equipment, customers, money owed and devices, as they are now; for staff, held by their row-level security';
COMMENT ON COLUMN insights.utility_operations_dashboard.utility_id IS 'The utility';
COMMENT ON COLUMN insights.utility_operations_dashboard.utility_name IS 'Its name';
COMMENT ON COLUMN insights.utility_operations_dashboard.active_outages IS 'Outages that are reported, confirmed, have a crew on the way or are being repaired';
COMMENT ON COLUMN insights.utility_operations_dashboard.customers_affected_by_outages IS 'Customers without service in them now: affected less restored';
COMMENT ON COLUMN insights.utility_operations_dashboard.current_load_lost_mw IS 'Load lost in them, MW';
COMMENT ON COLUMN insights.utility_operations_dashboard.total_assets IS 'Equipment in its service life: neither planned nor retired';
COMMENT ON COLUMN insights.utility_operations_dashboard.operational_assets IS 'Of these, operational';
COMMENT ON COLUMN insights.utility_operations_dashboard.asset_availability IS 'operational_assets / total_assets, %; NULL where there is no equipment';
COMMENT ON COLUMN insights.utility_operations_dashboard.total_customers IS 'Customers, with or without a zone';
COMMENT ON COLUMN insights.utility_operations_dashboard.active_customers IS 'Of these, active';
COMMENT ON COLUMN insights.utility_operations_dashboard.avg_usage_per_customer IS 'Electricity of the last 30 whole local days: sum of usage / sum of customers served, kWh a customer and day; NULL where nothing is known';
COMMENT ON COLUMN insights.utility_operations_dashboard.outstanding_billings IS 'Balance of the ledger''s receivables, in the utility''s currency';
COMMENT ON COLUMN insights.utility_operations_dashboard.overdue_billings IS 'Part of it on bills past their due date, in the utility''s currency';
COMMENT ON COLUMN insights.utility_operations_dashboard.overdue_bills IS 'Bills past their due date with something left to pay';
COMMENT ON COLUMN insights.utility_operations_dashboard.total_smart_devices IS 'Devices that are not retired';
COMMENT ON COLUMN insights.utility_operations_dashboard.active_smart_devices IS 'Of these, active';
COMMENT ON COLUMN insights.utility_operations_dashboard.device_connectivity_rate IS 'Active devices heard in the last hour / active devices, %; NULL where there is none';
GRANT SELECT ON insights.utility_operations_dashboard TO mains_staff;

CREATE VIEW insights.utility_control_center WITH (security_invoker = true) AS
SELECT u.utility_id, u.utility_name,
       coalesce(o.active_outages, 0) AS active_outages,
       coalesce(o.customers_out, 0) AS customers_without_power,
       coalesce(o.load_lost_mw, 0) AS current_load_lost_mw,
       coalesce(shed.load_shed_mw, 0) AS current_load_shed_mw,
       latest.load_mw AS current_system_load_mw,
       latest.load_as_of,
       today.peak_mw AS peak_load_today_mw,
       round(100.0 * a.operational_assets / nullif(a.total_assets, 0), 1) AS asset_availability_percentage,
       coalesce(t.open_tickets, 0) AS open_customer_tickets,
       s.rating AS todays_customer_satisfaction,
       coalesce(s.answers, 0) AS todays_survey_answers,
       coalesce(d.active_devices, 0) AS active_smart_devices,
       round(100.0 * v.good_values / nullif(v.all_values, 0), 1) AS sensor_data_quality,
       coalesce(cash.collected, 0) AS todays_collections,
       coalesce(owing.accounts, 0) AS overdue_accounts
FROM network.utilities u
CROSS JOIN LATERAL (SELECT (now() AT TIME ZONE u.timezone)::date AS local_date) AS clock
LEFT JOIN LATERAL (
    SELECT count(*) AS active_outages, sum(x.affected_customers - x.customers_restored) AS customers_out, sum(x.estimated_load_lost_mw) AS load_lost_mw
    FROM outages.outages x WHERE x.utility_id = u.utility_id AND x.commodity = 'electric' AND x.outage_status IN ('reported', 'confirmed', 'crew_dispatched', 'repairing')
) AS o ON true
LEFT JOIN LATERAL (
    SELECT sum(coalesce(x.expected_mw, x.target_mw)) AS load_shed_mw FROM demand.demand_events x WHERE x.utility_id = u.utility_id AND x.event_status = 'active' AND x.event_period @> now()
) AS shed ON true
LEFT JOIN LATERAL (
    SELECT round(sum(x.total) * 3600 / x.width_s / 1000000, 3) AS load_mw, x.bucket_start + make_interval(secs => x.width_s) AS load_as_of FROM metering.rollups x
    WHERE x.utility_id = u.utility_id AND x.commodity = 'electric' AND x.flow = 'delivered' AND x.readings > 0 AND x.bucket_start + make_interval(secs => x.width_s) <= now()
      AND x.utc_date >= (SELECT max(d.utc_date) - 1 FROM metering.rollup_days d WHERE d.utility_id = u.utility_id AND d.utc_date <= (now() AT TIME ZONE 'UTC')::date AND d.commodity = 'electric' AND d.flow = 'delivered')
    GROUP BY x.bucket_start, x.width_s
    ORDER BY x.bucket_start + make_interval(secs => x.width_s) DESC, x.width_s LIMIT 1
) AS latest ON true
LEFT JOIN LATERAL (
    SELECT round(max(h.total * 3600 / h.width_s) / 1000000, 3) AS peak_mw
    FROM (
        SELECT sum(x.total) AS total, x.width_s FROM metering.rollups x
        WHERE x.utility_id = u.utility_id AND x.commodity = 'electric' AND x.flow = 'delivered' AND x.readings > 0
          AND x.utc_date >= clock.local_date - 1 AND x.utc_date <= clock.local_date + 1
          AND x.bucket_start >= clock.local_date::timestamp AT TIME ZONE u.timezone AND x.bucket_start < now()
        GROUP BY x.bucket_start, x.width_s
    ) AS h
) AS today ON true
LEFT JOIN LATERAL (
    SELECT count(*) AS total_assets, count(*) FILTER (WHERE x.asset_status = 'operational') AS operational_assets
    FROM network.infrastructure_assets x WHERE x.utility_id = u.utility_id AND x.asset_status NOT IN ('planned', 'retired')
) AS a ON true
LEFT JOIN LATERAL (
    SELECT count(*) AS open_tickets FROM customers.support_tickets x WHERE x.utility_id = u.utility_id AND x.ticket_status IN ('open', 'waiting')
) AS t ON true
LEFT JOIN LATERAL (
    SELECT round(avg(x.rating), 2) AS rating, count(*) AS answers FROM customers.satisfaction_surveys x
    WHERE x.utility_id = u.utility_id AND x.answered_at >= clock.local_date::timestamp AT TIME ZONE u.timezone AND x.answered_at < (clock.local_date + 1)::timestamp AT TIME ZONE u.timezone
) AS s ON true
LEFT JOIN LATERAL (
    SELECT count(*) AS active_devices FROM devices.smart_devices x WHERE x.utility_id = u.utility_id AND x.device_status = 'active'
) AS d ON true
LEFT JOIN LATERAL (
    SELECT count(*) AS all_values, count(*) FILTER (WHERE x.reading_quality = 'good') AS good_values FROM devices.last_values x
    WHERE x.utility_id = u.utility_id AND x.reading_timestamp >= now() - interval '1 hour'
) AS v ON true
LEFT JOIN LATERAL (
    SELECT sum(e.amount) AS collected
    FROM payments.ledger_transactions x
    JOIN payments.ledger_entries e ON e.ledger_transaction_id = x.ledger_transaction_id
    JOIN payments.ledger_accounts l ON l.utility_id = e.utility_id AND l.ledger_account = e.ledger_account AND l.account_kind = 'asset' AND l.ledger_account NOT LIKE 'receivable%'
    WHERE x.utility_id = u.utility_id AND x.posting_date = clock.local_date AND x.transaction_kind IN ('payment', 'payment_returned', 'refund')
) AS cash ON true
LEFT JOIN LATERAL (
    SELECT count(DISTINCT b.account_id) AS accounts
    FROM (SELECT e.bill_id, sum(e.amount) AS balance FROM payments.ledger_entries e WHERE e.utility_id = u.utility_id AND e.ledger_account LIKE 'receivable%' GROUP BY e.bill_id) AS owed
    JOIN billing.bills b ON b.bill_id = owed.bill_id
    WHERE owed.balance > 0 AND b.due_date < clock.local_date
) AS owing ON true;
COMMENT ON VIEW insights.utility_control_center IS 'One row a utility for the control room: what is out, what the load is, what is open, as it is now; for staff, held by their row-level security';
COMMENT ON COLUMN insights.utility_control_center.utility_id IS 'The utility';
COMMENT ON COLUMN insights.utility_control_center.utility_name IS 'Its name';
COMMENT ON COLUMN insights.utility_control_center.active_outages IS 'Electric outages that are reported, confirmed, have a crew on the way or are being repaired';
COMMENT ON COLUMN insights.utility_control_center.customers_without_power IS 'Customers out in them now: affected less restored';
COMMENT ON COLUMN insights.utility_control_center.current_load_lost_mw IS 'Load lost in them, unplanned, MW';
COMMENT ON COLUMN insights.utility_control_center.current_load_shed_mw IS 'Load held back on purpose by demand events that run now, MW';
COMMENT ON COLUMN insights.utility_control_center.current_system_load_mw IS 'Mean load of the newest interval that the readings show for the whole utility, MW; NULL where none is known';
COMMENT ON COLUMN insights.utility_control_center.load_as_of IS 'End of that interval: how old the figure is';
COMMENT ON COLUMN insights.utility_control_center.peak_load_today_mw IS 'Highest mean load of an interval of the local day so far, MW; NULL while nothing of it is known';
COMMENT ON COLUMN insights.utility_control_center.asset_availability_percentage IS 'Operational equipment / equipment in its service life, %; NULL where there is none';
COMMENT ON COLUMN insights.utility_control_center.open_customer_tickets IS 'Tickets that are open or wait for the customer';
COMMENT ON COLUMN insights.utility_control_center.todays_customer_satisfaction IS 'Mean rating of today''s survey answers, 1 (worst) to 5 (best); NULL where nobody answered';
COMMENT ON COLUMN insights.utility_control_center.todays_survey_answers IS 'How many answers that is';
COMMENT ON COLUMN insights.utility_control_center.active_smart_devices IS 'Devices that are active';
COMMENT ON COLUMN insights.utility_control_center.sensor_data_quality IS 'Share of the values heard in the last hour that are good, %; NULL where none was heard';
COMMENT ON COLUMN insights.utility_control_center.todays_collections IS 'Cash received today by the ledger, returns and refunds taken off, in the utility''s currency';
COMMENT ON COLUMN insights.utility_control_center.overdue_accounts IS 'Agreements with something left to pay on a bill past its due date';
GRANT SELECT ON insights.utility_control_center TO mains_staff;
