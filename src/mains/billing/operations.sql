-- name: make_cycle
-- A billing cycle, or new words and days for one that is there.
INSERT INTO billing.cycles (cycle_code, description, due_days) VALUES (%(cycle_code)s, %(description)s, %(due_days)s)
ON CONFLICT (utility_id, cycle_code) DO UPDATE SET description = excluded.description, due_days = excluded.due_days;

-- name: start_run
-- A bill run begins.
INSERT INTO billing.bill_runs (cycle_code, period_start, period_end, started_at, accounts, bills_existing)
VALUES (%(cycle_code)s, %(period_start)s, %(period_end)s, %(started_at)s, %(accounts)s, %(bills_existing)s)
RETURNING bill_run_id;

-- name: finish_run
-- A bill run ends, with what it did.
UPDATE billing.bill_runs SET run_status = %(run_status)s, finished_at = %(finished_at)s, bills_made = %(bills_made)s, exceptions = %(exceptions)s, total_amount = %(total_amount)s
WHERE bill_run_id = %(bill_run_id)s;

-- name: one_writer
-- Wait until no other run writes bills of this cycle and period.
SELECT pg_advisory_xact_lock(hashtextextended(identity.current_utility()::text || '/' || %(cycle_code)s || '/' || %(period_start)s, 0));

-- name: close_exceptions
-- Exceptions of agreements whose bill could be made after all.
UPDATE billing.bill_exceptions SET exception_status = 'resolved', closed_at = %(at)s, closed_by = current_setting('app.actor', true)
WHERE exception_status = 'open' AND account_id = ANY (%(account_ids)s) AND daterange(billing_period_start, billing_period_end) && daterange(%(period_start)s::date, %(period_end)s::date);

-- name: cancel_bill
-- Take an issued bill back; its lines stay as they were.
UPDATE billing.bills SET billing_status = 'cancelled', cancelled_at = %(at)s WHERE bill_id = %(bill_id)s AND billing_status <> 'cancelled' RETURNING bill_id;

-- name: give_reason
-- Why the changes of this transaction are made, for the audit log.
SELECT set_config('app.reason', %(reason)s, true);
