-- name: utility_names
-- Which utilities this installation has; the administrator asks, before anything is loaded.
SELECT utility_id, utility_code, utility_name FROM network.utilities ORDER BY created_at, utility_code;

-- name: demo_marks
-- The deliveries by which the demo knows how far it came; the administrator asks, for all its utilities.
SELECT b.batch_id, b.source, b.utility_id, b.finished_at IS NOT NULL AS is_finished FROM metering.ingest_batches b WHERE b.source LIKE 'demo utility, %' ORDER BY b.batch_id;

-- name: schedules_by_code
-- Keys of the rates.
SELECT rate_code, rate_schedule_id FROM rates.rate_schedules;

-- name: channel_keys
-- Keys of the channels.
SELECT meter_id, register, channel_id FROM metering.channels;

-- name: blocks_of_batch
-- What is stored of a delivery of intervals: blocks, readings, and the sum of their raw values.
SELECT count(*), coalesce(sum(n_valid), 0)::bigint, coalesce(sum(total), 0)::bigint FROM metering.interval_blocks WHERE batch_id = %(batch_id)s;

-- name: unfinished_deliveries
-- Deliveries of a source that began and did not end.
SELECT batch_id FROM metering.ingest_batches WHERE source = %(source)s AND finished_at IS NULL ORDER BY batch_id;

-- name: finished_runs
-- First dates of the periods that a cycle has been billed for.
SELECT period_start FROM billing.bill_runs WHERE cycle_code = %(cycle_code)s AND run_status = 'issued';

-- name: bills_to_pay
-- Issued bills of one run, or of all, with what is needed to pay them.
SELECT bill_id, bill_number, customer_id, total_amount, currency, due_date FROM billing.bills
WHERE billing_status = 'issued' AND (%(bill_run_id)s::uuid IS NULL OR bill_run_id = %(bill_run_id)s) ORDER BY due_date, bill_number;

-- name: is_settled
-- Whether every issued bill and every payment is in the ledger, and there are payments.
SELECT EXISTS (SELECT FROM payments.payments)
   AND (SELECT count(*) FROM billing.bills WHERE billing_status = 'issued') = (SELECT count(*) FROM payments.ledger_transactions WHERE transaction_kind = 'bill')
   AND (SELECT count(*) FROM payments.payments) = (SELECT count(*) FROM payments.ledger_transactions WHERE transaction_kind = 'payment');

-- name: what_was_loaded
-- Counts of one utility.
SELECT (SELECT count(*) FROM customers.customers) AS customers,
       (SELECT count(*) FROM customers.service_accounts) AS accounts,
       (SELECT coalesce(sum(readings_new), 0)::bigint FROM metering.ingest_batches WHERE source LIKE '%%: intervals') AS interval_readings,
       (SELECT coalesce(sum(readings_new), 0)::bigint FROM metering.ingest_batches WHERE source LIKE '%%: registers') AS register_reads,
       (SELECT count(*) FROM billing.bills WHERE billing_status = 'issued') AS bills,
       (SELECT coalesce(sum(total_amount), 0) FROM billing.bills WHERE billing_status = 'issued') AS billed,
       (SELECT coalesce(sum(amount), 0) FROM payments.payments) AS paid,
       (SELECT coalesce(sum(amount), 0) FROM payments.ledger_entries WHERE ledger_account = 'receivable') AS owed,
       (SELECT coalesce(sum(o.amount), 0) FROM (SELECT bill_id, sum(amount) AS amount FROM payments.ledger_entries WHERE ledger_account = 'receivable' GROUP BY bill_id) AS o
        JOIN billing.bills b ON b.bill_id = o.bill_id WHERE o.amount > 0 AND b.due_date < %(today)s) AS overdue;

-- name: held_bills
-- Bills held back, by reason, the most common first.
SELECT code, count(*) AS bills FROM billing.bill_exceptions WHERE exception_status = 'open' GROUP BY code ORDER BY count(*) DESC, code;

-- name: sizes
-- Bytes on disk of all interval blocks and of all register reads, indexes included; the administrator asks.
SELECT (SELECT sum(pg_total_relation_size(relid))::bigint FROM pg_partition_tree('metering.interval_blocks')) AS interval_bytes,
       pg_total_relation_size('metering.register_reads') AS register_bytes;

-- name: bill_with_two_rates
-- A customer's bill inside whose period the prices changed: the first one with two segments.
SELECT b.bill_id FROM billing.bills b JOIN billing.bill_inputs i ON i.account_id = b.account_id AND i.bill_id = b.bill_id
WHERE jsonb_array_length(i.segments) > 1 ORDER BY b.bill_number LIMIT 1;
