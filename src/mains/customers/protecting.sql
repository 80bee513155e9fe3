-- name: say_why
-- Why what follows is done, for the audit log.
SELECT set_config('app.reason', %(reason)s, true);

-- name: customer_of_account
-- Whose agreement an account is.
SELECT customer_id FROM customers.service_accounts WHERE account_number = %(account_number)s;

-- name: protect
-- A customer may not be disconnected from an instant on.
INSERT INTO customers.protections (customer_id, protection_kind, protected_period, evidence)
VALUES (%(customer_id)s, %(kind)s, tstzrange(%(from_at)s, %(to_at)s), %(evidence)s)
RETURNING protection_id;

-- name: protections
-- Protections, the newest first, after one; of one customer, or as they stand at an instant, where it is given.
SELECT p.protection_id, p.customer_id, c.customer_number, c.full_name, p.protection_kind, lower(p.protected_period) AS from_at, upper(p.protected_period) AS to_at, p.evidence
FROM customers.protections p JOIN customers.customers c ON c.customer_id = p.customer_id
WHERE (%(protection_id)s::uuid IS NULL OR p.protection_id = %(protection_id)s)
  AND (%(customer_id)s::uuid IS NULL OR p.customer_id = %(customer_id)s)
  AND (%(at)s::timestamptz IS NULL OR p.protected_period @> %(at)s::timestamptz)
  AND (%(before_at)s::timestamptz IS NULL OR (lower(p.protected_period), p.protection_id) < (%(before_at)s, %(before_id)s::uuid))
ORDER BY lower(p.protected_period) DESC, p.protection_id DESC
LIMIT %(limit)s;

-- name: end_protection
-- A protection that has begun and not ended ends.
UPDATE customers.protections SET protected_period = tstzrange(lower(protected_period), %(at)s)
WHERE protection_id = %(protection_id)s AND lower(protected_period) < %(at)s AND (upper_inf(protected_period) OR upper(protected_period) > %(at)s)
RETURNING protection_id;

-- name: take_back_protection
-- A protection that has not begun is taken back.
DELETE FROM customers.protections WHERE protection_id = %(protection_id)s AND lower(protected_period) >= %(at)s RETURNING protection_id;

-- name: declare
-- A time in which nobody is disconnected.
INSERT INTO customers.moratoria (moratorium_name, moratorium_period, commodity, customer_class, service_zone_id)
VALUES (%(moratorium_name)s, tstzrange(%(from_at)s, %(to_at)s), %(commodity)s, %(customer_class)s, %(service_zone_id)s)
RETURNING moratorium_id;

-- name: zone_by_code
-- A service zone by its code.
SELECT zone_id FROM network.service_zones WHERE zone_code = %(zone_code)s;

-- name: moratoria
-- Moratoria, the newest first, after one; as they stand at an instant where it is given.
SELECT m.moratorium_id, m.moratorium_name, lower(m.moratorium_period) AS from_at, upper(m.moratorium_period) AS to_at, m.commodity, m.customer_class, m.service_zone_id
FROM customers.moratoria m
WHERE (%(moratorium_id)s::uuid IS NULL OR m.moratorium_id = %(moratorium_id)s)
  AND (%(moratorium_name)s::text IS NULL OR m.moratorium_name = %(moratorium_name)s)
  AND (%(at)s::timestamptz IS NULL OR m.moratorium_period @> %(at)s::timestamptz)
  AND (%(before_at)s::timestamptz IS NULL OR (lower(m.moratorium_period), m.moratorium_id) < (%(before_at)s, %(before_id)s::uuid))
ORDER BY lower(m.moratorium_period) DESC, m.moratorium_id DESC
LIMIT %(limit)s;

-- name: end_moratorium
-- A moratorium that has begun and not ended ends.
UPDATE customers.moratoria SET moratorium_period = tstzrange(lower(moratorium_period), %(at)s)
WHERE moratorium_id = %(moratorium_id)s AND lower(moratorium_period) < %(at)s AND (upper_inf(moratorium_period) OR upper(moratorium_period) > %(at)s)
RETURNING moratorium_id;

-- name: take_back_moratorium
-- A moratorium that has not begun is taken back.
DELETE FROM customers.moratoria WHERE moratorium_id = %(moratorium_id)s AND lower(moratorium_period) >= %(at)s RETURNING moratorium_id;
