-- name: customers
-- Customers by number, those after a number, that match what is asked: words in the name, or the beginning of the number or of an account's number.
SELECT customer_id, customer_number, full_name, customer_class, email, phone, language, service_status, service_zone_id, geolocation[0] AS longitude, geolocation[1] AS latitude, is_protected, created_at
FROM customers.customers c
WHERE (%(after)s::text IS NULL OR customer_number > %(after)s)
  AND (%(name)s::text IS NULL OR full_name ILIKE %(name)s OR customer_number ILIKE %(number)s
       OR EXISTS (SELECT FROM customers.service_accounts a WHERE a.customer_id = c.customer_id AND a.account_number ILIKE %(number)s))
  AND (%(customer_class)s::text IS NULL OR customer_class = %(customer_class)s)
  AND (%(service_status)s::text IS NULL OR service_status = %(service_status)s)
  AND (%(service_zone_id)s::uuid IS NULL OR service_zone_id = %(service_zone_id)s)
ORDER BY customer_number
LIMIT %(limit)s;

-- name: customer
-- One customer.
SELECT customer_id, customer_number, full_name, customer_class, email, phone, language, service_status, service_zone_id, geolocation[0] AS longitude, geolocation[1] AS latitude, is_protected, created_at
FROM customers.customers
WHERE customer_id = %(customer_id)s;

-- name: service_accounts
-- Agreements by number, those after a number, with where they are supplied and the rate they are on at an instant.
SELECT a.account_id, a.account_number, a.customer_id, a.service_point_id, p.service_point_number, p.premise_id, a.commodity, a.account_role, a.account_status,
       lower(a.active_period) AS active_from, upper(a.active_period) AS active_to, a.billing_cycle, r.rate_schedule_id
FROM customers.service_accounts a
JOIN customers.service_points p ON p.service_point_id = a.service_point_id
LEFT JOIN customers.rate_assignments r ON r.account_id = a.account_id AND r.effective_period @> (%(at)s AT TIME ZONE p.timezone)::date
WHERE (%(after)s::text IS NULL OR a.account_number > %(after)s)
  AND (%(account_id)s::uuid IS NULL OR a.account_id = %(account_id)s)
  AND (%(customer_id)s::uuid IS NULL OR a.customer_id = %(customer_id)s)
  AND (%(premise_id)s::uuid IS NULL OR p.premise_id = %(premise_id)s)
  AND (%(commodity)s::text IS NULL OR a.commodity = %(commodity)s)
  AND (%(account_status)s::text IS NULL OR a.account_status = %(account_status)s)
ORDER BY a.account_number
LIMIT %(limit)s;

-- name: premises
-- Places by number, those after a number.
SELECT premise_id, premise_number, address_line, city, region, postal_code, country, premise_type, service_zone_id, geolocation[0] AS longitude, geolocation[1] AS latitude
FROM customers.premises
WHERE (%(after)s::text IS NULL OR premise_number > %(after)s)
  AND (%(service_zone_id)s::uuid IS NULL OR service_zone_id = %(service_zone_id)s)
ORDER BY premise_number
LIMIT %(limit)s;

-- name: premise
-- One place.
SELECT premise_id, premise_number, address_line, city, region, postal_code, country, premise_type, service_zone_id, geolocation[0] AS longitude, geolocation[1] AS latitude
FROM customers.premises
WHERE premise_id = %(premise_id)s;

-- name: service_points_of
-- Where commodities are handed over at a place.
SELECT service_point_id, service_point_number, premise_id, commodity, service_zone_id, timezone, nominal_voltage_v, phases, service_size, is_critical
FROM customers.service_points
WHERE premise_id = %(premise_id)s
ORDER BY service_point_number;

-- name: customer_by_number
-- A customer by the number they know.
SELECT customer_id FROM customers.customers WHERE customer_number = %(customer_number)s;
