-- name: register_customer
-- Somebody new.
INSERT INTO customers.customers (customer_number, full_name, customer_class, email, phone, language)
VALUES (%(customer_number)s, %(full_name)s, %(customer_class)s, %(email)s, %(phone)s, %(language)s)
RETURNING customer_id;

-- name: open_account
-- An agreement from local midnight of a date at the service point's zone.
INSERT INTO customers.service_accounts (customer_id, service_point_id, account_number, commodity, active_period, billing_cycle)
SELECT %(customer_id)s, sp.service_point_id, %(account_number)s, sp.commodity, tstzrange(%(from_date)s::date::timestamp AT TIME ZONE sp.timezone, NULL), %(billing_cycle)s
FROM customers.service_points sp WHERE sp.service_point_id = %(service_point_id)s
RETURNING account_id;

-- name: close_account
-- End an open agreement at local midnight of a date.
UPDATE customers.service_accounts a
SET active_period = tstzrange(lower(a.active_period), %(to_date)s::date::timestamp AT TIME ZONE sp.timezone), account_status = 'final'
FROM customers.service_points sp
WHERE sp.service_point_id = a.service_point_id AND a.account_id = %(account_id)s AND upper_inf(a.active_period) AND lower(a.active_period) < %(to_date)s::date::timestamp AT TIME ZONE sp.timezone
RETURNING a.account_id;

-- name: end_assignments
-- End the assignments of an agreement that reach past a date.
UPDATE customers.rate_assignments SET effective_period = daterange(lower(effective_period), %(from_date)s::date)
WHERE account_id = %(account_id)s AND effective_period @> %(from_date)s::date AND lower(effective_period) < %(from_date)s::date;

-- name: assign_rate
-- The rate of an agreement from a date on.
INSERT INTO customers.rate_assignments (account_id, rate_schedule_id, effective_period)
VALUES (%(account_id)s, %(rate_schedule_id)s, daterange(%(from_date)s::date, NULL))
RETURNING rate_assignment_id;
