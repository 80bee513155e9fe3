-- name: one_runner
-- Wait until no other run of validation works on this utility; held to the end of the transaction.
SELECT pg_advisory_xact_lock(hashtextextended('vee/' || identity.current_utility()::text, 0));

-- name: set_validated
-- Deliveries whose readings have all been judged.
UPDATE metering.ingest_batches SET validated_at = %(at)s WHERE batch_id = ANY (%(batches)s) AND validated_at IS NULL;

-- name: give_reason
-- Why the changes of this transaction are made, for history and audit.
SELECT set_config('app.reason', %(reason)s, true);

-- name: open_exceptions
-- What was found and is not on the work list yet.
INSERT INTO metering.vee_exceptions (channel_id, from_at, to_at, rule_name, rule_number, severity, finding, measured, limit_value, is_marked, batch_id, found_at)
SELECT f.channel_id, f.from_at, f.to_at, f.rule_name, f.rule_number, f.severity, f.finding, f.measured, f.limit_value, f.is_marked, %(batch_id)s, %(at)s
FROM unnest(%(channels)s::bigint[], %(starts)s::timestamptz[], %(ends)s::timestamptz[], %(names)s::text[], %(numbers)s::smallint[], %(severities)s::text[], %(findings)s::text[],
            %(measured)s::numeric[], %(limits)s::numeric[], %(marked)s::boolean[])
    AS f (channel_id, from_at, to_at, rule_name, rule_number, severity, finding, measured, limit_value, is_marked);

-- name: extend_exceptions
-- What is on the work list and reaches further now, or has other numbers.
UPDATE metering.vee_exceptions e
SET from_at = f.from_at, to_at = f.to_at, severity = f.severity, finding = f.finding, measured = f.measured, limit_value = f.limit_value, is_marked = f.is_marked, batch_id = %(batch_id)s
FROM unnest(%(ids)s::bigint[], %(starts)s::timestamptz[], %(ends)s::timestamptz[], %(severities)s::text[], %(findings)s::text[], %(measured)s::numeric[], %(limits)s::numeric[],
            %(marked)s::boolean[])
    AS f (vee_exception_id, from_at, to_at, severity, finding, measured, limit_value, is_marked)
WHERE e.vee_exception_id = f.vee_exception_id;

-- name: decide_exceptions
-- What was decided about exceptions: by whom, when and why.
UPDATE metering.vee_exceptions SET exception_status = %(status)s, closed_at = %(at)s, closed_by = current_setting('app.actor', true), reason = %(reason)s
WHERE vee_exception_id = ANY (%(ids)s);

-- name: lock_days
-- The versions of blocks that are about to be marked, locked in the order of their keys.
SELECT b.channel_id, extract(epoch FROM b.block_start)::bigint, b.version
FROM unnest(%(channels)s::bigint[], %(starts)s::timestamptz[]) AS w (channel_id, block_start)
JOIN metering.interval_blocks b ON b.channel_id = w.channel_id AND b.block_start = w.block_start AND b.block_start >= %(first)s AND b.block_start <= %(last)s
ORDER BY b.channel_id, b.block_start
FOR UPDATE OF b;

-- name: add_edit
-- A change of readings: proposed, or applied with its delivery.
INSERT INTO metering.edits (channel_id, from_at, to_at, interval_s, edit_kind, method, new_values, reason, vee_exception_id, edit_status, proposed_at, batch_id)
VALUES (%(channel_id)s, %(from_at)s, %(to_at)s, %(interval_s)s, %(edit_kind)s, %(method)s, %(new_values)s, %(reason)s, %(vee_exception_id)s, %(edit_status)s, %(at)s, %(batch_id)s)
RETURNING edit_id;

-- name: lock_edit
-- One edit that is about to be decided.
SELECT edit_id, channel_id, from_at, to_at, interval_s, method, new_values, reason, vee_exception_id, edit_status, proposed_by FROM metering.edits WHERE edit_id = %(edit_id)s FOR UPDATE;

-- name: decide_edit
-- An edit is approved and stored, or rejected.
UPDATE metering.edits SET edit_status = %(edit_status)s, approved_by = %(approved_by)s, approved_at = %(at)s, batch_id = %(batch_id)s WHERE edit_id = %(edit_id)s;

-- name: end_policy
-- The policy that holds on a date holds until then; one that would begin later makes room.
UPDATE metering.vee_policies SET effective_period = daterange(lower(effective_period), %(from_date)s)
WHERE effective_period && daterange(%(from_date)s, NULL) AND (lower_inf(effective_period) OR lower(effective_period) < %(from_date)s);

-- name: overwrite_policies
-- What was said for later dates is said anew: it gets the values of the new policy.
UPDATE metering.vee_policies SET profile = %(profile)s, has_four_eyes = %(has_four_eyes)s, is_holding_bills = %(is_holding_bills)s, is_estimating = %(is_estimating)s,
    context_days = %(context_days)s
WHERE effective_period && daterange(%(from_date)s, NULL);

-- name: add_policy
-- A policy from a date on, until what is said for later begins.
INSERT INTO metering.vee_policies (profile, has_four_eyes, is_holding_bills, is_estimating, context_days, effective_period)
SELECT %(profile)s, %(has_four_eyes)s, %(is_holding_bills)s, %(is_estimating)s, %(context_days)s,
       daterange(%(from_date)s, (SELECT min(lower(p.effective_period)) FROM metering.vee_policies p WHERE lower(p.effective_period) > %(from_date)s))
WHERE NOT EXISTS (SELECT FROM metering.vee_policies p WHERE p.effective_period @> %(from_date)s::date);

-- name: end_rule
-- The utility's row of a rule that holds on a date holds until then.
UPDATE metering.vee_rules SET effective_period = daterange(lower(effective_period), %(from_date)s)
WHERE rule_name = %(rule_name)s AND meter_class = %(meter_class)s AND effective_period && daterange(%(from_date)s, NULL)
  AND (lower_inf(effective_period) OR lower(effective_period) < %(from_date)s);

-- name: overwrite_rules
-- What was said of a rule for later dates is said anew.
UPDATE metering.vee_rules SET parameters = %(parameters)s, severity = %(severity)s, is_off = %(is_off)s
WHERE rule_name = %(rule_name)s AND meter_class = %(meter_class)s AND effective_period && daterange(%(from_date)s, NULL);

-- name: add_rule
-- The utility's row of a rule from a date on, until what is said for later begins.
INSERT INTO metering.vee_rules (rule_name, meter_class, parameters, severity, is_off, effective_period)
SELECT %(rule_name)s, %(meter_class)s, %(parameters)s, %(severity)s, %(is_off)s,
       daterange(%(from_date)s, (SELECT min(lower(r.effective_period)) FROM metering.vee_rules r
                                 WHERE r.rule_name = %(rule_name)s AND r.meter_class = %(meter_class)s AND lower(r.effective_period) > %(from_date)s))
WHERE NOT EXISTS (SELECT FROM metering.vee_rules r WHERE r.rule_name = %(rule_name)s AND r.meter_class = %(meter_class)s AND r.effective_period @> %(from_date)s::date);
