-- name: ensure_chart
-- The accounts of the chart that postings need, where they are missing.
INSERT INTO payments.ledger_accounts (ledger_account, account_name, account_kind)
SELECT * FROM unnest(%(codes)s::text[], %(names)s::text[], %(kinds)s::text[])
ON CONFLICT DO NOTHING;

-- name: one_writer
-- Wait until nobody else posts to the ledger of this utility: what is open is then what the next statement sees.
SELECT pg_advisory_xact_lock(hashtextextended(identity.current_utility()::text || '/ledger', 0));

-- name: post_bills
-- Post every issued bill that is not in the ledger yet: what the customer owes against revenue by commodity and kind of charge, and taxes payable.
WITH unposted AS MATERIALIZED (
    SELECT base.new_id() AS ledger_transaction_id, b.account_id, b.bill_id, b.customer_id, b.commodity, b.issue_date, b.bill_number, b.total_amount FROM billing.bills b
    WHERE b.billing_status = 'issued' AND NOT EXISTS (SELECT FROM payments.ledger_transactions t WHERE t.utility_id = b.utility_id AND t.transaction_kind = 'bill' AND t.source_id = b.bill_id)
), posted AS (
    INSERT INTO payments.ledger_transactions (ledger_transaction_id, posted_at, posting_date, transaction_kind, source_id, description)
    SELECT ledger_transaction_id, %(at)s, issue_date, 'bill', bill_id, 'Bill ' || bill_number FROM unposted
), entries AS (
    SELECT ledger_transaction_id, 'receivable' AS ledger_account, customer_id, account_id, bill_id, total_amount AS amount FROM unposted
    UNION ALL
    SELECT u.ledger_transaction_id, CASE WHEN l.charge_kind = 'tax' THEN 'tax_payable' ELSE 'revenue.' || u.commodity || '.' || l.charge_kind END, NULL, NULL, u.bill_id, -sum(l.amount)
    FROM unposted u JOIN billing.bill_lines l ON l.account_id = u.account_id AND l.bill_id = u.bill_id
    GROUP BY 1, 2, 5
)
INSERT INTO payments.ledger_entries (ledger_transaction_id, ledger_account, customer_id, account_id, bill_id, amount)
SELECT ledger_transaction_id, ledger_account, customer_id, account_id, bill_id, amount FROM entries WHERE amount <> 0;

-- name: reverse_bills
-- Post the reverse of every cancelled bill whose posting stands.
WITH cancelled AS (
    SELECT b.bill_id, b.bill_number, (b.cancelled_at AT TIME ZONE u.timezone)::date AS cancel_date, t.ledger_transaction_id FROM billing.bills b
    JOIN network.utilities u USING (utility_id)
    JOIN payments.ledger_transactions t ON t.utility_id = b.utility_id AND t.transaction_kind = 'bill' AND t.source_id = b.bill_id
    WHERE b.billing_status = 'cancelled' AND NOT EXISTS (SELECT FROM payments.ledger_transactions r WHERE r.utility_id = b.utility_id AND r.transaction_kind = 'bill_cancelled' AND r.source_id = b.bill_id)
), posted AS (
    INSERT INTO payments.ledger_transactions (ledger_transaction_id, posted_at, posting_date, transaction_kind, source_id, description)
    SELECT base.new_id(), %(at)s, cancel_date, 'bill_cancelled', bill_id, 'Bill ' || bill_number || ' cancelled' FROM cancelled
    RETURNING ledger_transaction_id, source_id
)
INSERT INTO payments.ledger_entries (ledger_transaction_id, ledger_account, customer_id, account_id, bill_id, amount)
SELECT p.ledger_transaction_id, e.ledger_account, e.customer_id, e.account_id, e.bill_id, -e.amount
FROM cancelled c JOIN posted p ON p.source_id = c.bill_id JOIN payments.ledger_entries e ON e.ledger_transaction_id = c.ledger_transaction_id;

-- name: receive_payment
-- One payment, taken once under its key.
INSERT INTO payments.payments (customer_id, payment_date, received_at, amount, currency, method, reference, idempotency_key)
VALUES (%(customer_id)s, %(payment_date)s, %(received_at)s, %(amount)s, %(currency)s, %(method)s, %(reference)s, %(idempotency_key)s)
ON CONFLICT ON CONSTRAINT a_payment_is_taken_once DO NOTHING
RETURNING payment_id;

-- name: payment_by_key
-- The payment that was taken under a key.
SELECT payment_id, customer_id, amount, payment_date, method, reference FROM payments.payments WHERE idempotency_key = %(idempotency_key)s;

-- name: post_payments
-- Post every payment that is not in the ledger yet: cash against the customer's bills, the oldest due first, and what is left over as unapplied.
-- Along each customer both the open bills and the payments are laid end to end; where a payment overlaps a bill, that much of it is paid.
WITH unposted AS MATERIALIZED (
    SELECT base.new_id() AS ledger_transaction_id, p.payment_id, p.customer_id, p.payment_date, p.amount, p.method,
           sum(p.amount) OVER (PARTITION BY p.customer_id ORDER BY p.payment_date, p.payment_id) AS up_to
    FROM payments.payments p
    WHERE p.payment_status = 'received' AND NOT EXISTS (SELECT FROM payments.ledger_transactions t WHERE t.utility_id = p.utility_id AND t.transaction_kind = 'payment' AND t.source_id = p.payment_id)
), open_bills AS (
    SELECT e.customer_id, e.bill_id, min(b.account_id::text)::uuid AS account_id, sum(e.amount) AS amount,
           sum(sum(e.amount)) OVER (PARTITION BY e.customer_id ORDER BY min(b.due_date), min(b.billing_period_start), e.bill_id) AS up_to
    FROM payments.ledger_entries e JOIN billing.bills b ON b.bill_id = e.bill_id
    WHERE e.ledger_account = 'receivable' AND e.customer_id IN (SELECT customer_id FROM unposted)
    GROUP BY e.customer_id, e.bill_id HAVING sum(e.amount) > 0
), paid AS (
    SELECT u.ledger_transaction_id, u.payment_id, u.customer_id, o.bill_id, o.account_id, least(u.up_to, o.up_to) - greatest(u.up_to - u.amount, o.up_to - o.amount) AS amount
    FROM unposted u JOIN open_bills o ON o.customer_id = u.customer_id AND u.up_to > o.up_to - o.amount AND u.up_to - u.amount < o.up_to
), allocated AS (
    INSERT INTO payments.allocations (payment_id, bill_id, amount) SELECT payment_id, bill_id, amount FROM paid
), posted AS (
    INSERT INTO payments.ledger_transactions (ledger_transaction_id, posted_at, posting_date, transaction_kind, source_id, description)
    SELECT ledger_transaction_id, %(at)s, payment_date, 'payment', payment_id, 'Payment by ' || method FROM unposted
), entries AS (
    SELECT ledger_transaction_id, 'cash' AS ledger_account, NULL::uuid AS customer_id, NULL::uuid AS account_id, NULL::uuid AS bill_id, amount FROM unposted
    UNION ALL
    SELECT ledger_transaction_id, 'receivable', customer_id, account_id, bill_id, -amount FROM paid
    UNION ALL
    SELECT ledger_transaction_id, 'unapplied_cash', customer_id, NULL, NULL, sum(amount)
    FROM (SELECT ledger_transaction_id, customer_id, -amount AS amount FROM unposted UNION ALL SELECT ledger_transaction_id, customer_id, amount FROM paid) AS rest
    GROUP BY ledger_transaction_id, customer_id
)
INSERT INTO payments.ledger_entries (ledger_transaction_id, ledger_account, customer_id, account_id, bill_id, amount)
SELECT ledger_transaction_id, ledger_account, customer_id, account_id, bill_id, amount FROM entries WHERE amount <> 0;
