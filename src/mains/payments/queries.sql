-- name: balance_of_customer
-- What a customer owed at the end of a date, from what was posted up to then: total, overdue by age, unapplied, and what falls due next.
WITH owed AS (
    SELECT e.bill_id, b.due_date, sum(e.amount) AS amount
    FROM payments.ledger_entries e JOIN billing.bills b ON b.bill_id = e.bill_id
    JOIN payments.ledger_transactions t ON t.ledger_transaction_id = e.ledger_transaction_id AND t.posting_date <= %(on_date)s
    WHERE e.customer_id = %(customer_id)s AND e.ledger_account = 'receivable' GROUP BY e.bill_id, b.due_date HAVING sum(e.amount) <> 0
)
SELECT coalesce((SELECT sum(amount) FROM owed), 0) AS owed,
       coalesce((SELECT sum(amount) FROM owed WHERE due_date < %(on_date)s), 0) AS overdue,
       coalesce((SELECT sum(amount) FROM owed WHERE due_date < %(on_date)s AND due_date >= %(on_date)s::date - 30), 0) AS overdue_1_to_30_days,
       coalesce((SELECT sum(amount) FROM owed WHERE due_date < %(on_date)s::date - 30 AND due_date >= %(on_date)s::date - 60), 0) AS overdue_31_to_60_days,
       coalesce((SELECT sum(amount) FROM owed WHERE due_date < %(on_date)s::date - 60), 0) AS overdue_over_60_days,
       coalesce((SELECT -sum(e.amount) FROM payments.ledger_entries e
                 JOIN payments.ledger_transactions t ON t.ledger_transaction_id = e.ledger_transaction_id AND t.posting_date <= %(on_date)s
                 WHERE e.customer_id = %(customer_id)s AND e.ledger_account = 'unapplied_cash'), 0) AS unapplied,
       (SELECT min(due_date) FROM owed WHERE due_date >= %(on_date)s) AS next_due_date,
       (SELECT sum(amount) FROM owed WHERE due_date = (SELECT min(due_date) FROM owed WHERE due_date >= %(on_date)s)) AS next_due_amount;

-- name: open_amounts
-- What is still owed on each of some bills; bills that are paid are left out.
SELECT e.bill_id, sum(e.amount) AS amount FROM payments.ledger_entries e
WHERE e.bill_id = ANY (%(bill_ids)s) AND e.ledger_account = 'receivable' GROUP BY e.bill_id HAVING sum(e.amount) <> 0;

-- name: payments_of_customer
-- Payments of a customer, newest first.
SELECT payment_id, payment_date, received_at, amount, currency, method, reference, payment_status FROM payments.payments
WHERE customer_id = %(customer_id)s ORDER BY payment_date DESC, payment_id DESC LIMIT %(limit)s;

-- name: trial_balance
-- Sum of every ledger account; the sums add to zero.
SELECT a.ledger_account, a.account_name, a.account_kind, coalesce(sum(e.amount), 0) AS balance
FROM payments.ledger_accounts a LEFT JOIN payments.ledger_entries e ON e.utility_id = a.utility_id AND e.ledger_account = a.ledger_account
GROUP BY a.utility_id, a.ledger_account, a.account_name, a.account_kind ORDER BY a.account_kind, a.ledger_account;

-- name: owed_in_all
-- What all customers owe at a date, and how much of it is overdue.
WITH owed AS (
    SELECT b.due_date, e.amount FROM payments.ledger_entries e JOIN billing.bills b ON b.bill_id = e.bill_id WHERE e.ledger_account = 'receivable'
)
SELECT coalesce(sum(amount), 0) AS owed, coalesce(sum(amount) FILTER (WHERE due_date < %(on_date)s), 0) AS overdue FROM owed;
