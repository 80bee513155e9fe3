-- Money: a double-entry ledger that only grows, payments, what they were for, and what happens when they do not come.
CREATE SCHEMA payments;
COMMENT ON SCHEMA payments IS 'Double-entry ledger, payments, allocations, arrangements, deposits, collection';
GRANT USAGE ON SCHEMA payments TO mains_any;

CREATE TABLE payments.ledger_accounts (
    utility_id     uuid NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    ledger_account text NOT NULL CHECK (ledger_account ~ '^[a-z0-9_.:-]{1,80}$'),
    account_name   text NOT NULL,
    account_kind   text NOT NULL CHECK (account_kind IN ('asset', 'liability', 'equity', 'income', 'expense')),
    PRIMARY KEY (utility_id, ledger_account)
);
COMMENT ON TABLE payments.ledger_accounts IS 'Chart of accounts';
COMMENT ON COLUMN payments.ledger_accounts.utility_id IS 'The utility';
COMMENT ON COLUMN payments.ledger_accounts.ledger_account IS 'Code of the account';
COMMENT ON COLUMN payments.ledger_accounts.account_name IS 'Name of the account';
COMMENT ON COLUMN payments.ledger_accounts.account_kind IS 'asset, liability, equity, income or expense';
SELECT identity.protect('payments.ledger_accounts', auditor => true, classification => 'internal');

CREATE TABLE payments.ledger_transactions (
    ledger_transaction_id uuid        PRIMARY KEY DEFAULT base.new_id(),
    utility_id            uuid        NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    posted_at             timestamptz NOT NULL,
    posting_date          date        NOT NULL,
    transaction_kind      text        NOT NULL CHECK (transaction_kind IN ('bill', 'bill_cancelled', 'payment', 'payment_returned', 'refund', 'adjustment', 'deposit', 'late_fee', 'write_off', 'reversal')),
    source_id             uuid        NOT NULL,
    description           text        NOT NULL,
    actor                 text        NOT NULL DEFAULT current_setting('app.actor', true),
    CONSTRAINT posted_once UNIQUE (utility_id, transaction_kind, source_id)
);
COMMENT ON TABLE payments.ledger_transactions IS 'Postings: each balances to zero and is never changed; a mistake is reversed';
COMMENT ON COLUMN payments.ledger_transactions.ledger_transaction_id IS 'Key';
COMMENT ON COLUMN payments.ledger_transactions.utility_id IS 'The utility';
COMMENT ON COLUMN payments.ledger_transactions.posted_at IS 'When it was posted';
COMMENT ON COLUMN payments.ledger_transactions.posting_date IS 'Local date it counts on';
COMMENT ON COLUMN payments.ledger_transactions.transaction_kind IS 'bill, bill_cancelled, payment, payment_returned, refund, adjustment, deposit, late_fee, write_off or reversal';
COMMENT ON COLUMN payments.ledger_transactions.source_id IS 'Bill, payment or other thing that it posts; posted once';
COMMENT ON COLUMN payments.ledger_transactions.description IS 'In words';
COMMENT ON COLUMN payments.ledger_transactions.actor IS 'Who posted it';
SELECT identity.protect('payments.ledger_transactions', staff => 'SI', auditor => true, audited => false, append_only => true);

CREATE TABLE payments.ledger_entries (
    ledger_entry_id       bigint  GENERATED ALWAYS AS IDENTITY,
    utility_id            uuid    NOT NULL DEFAULT identity.current_utility(),
    ledger_transaction_id uuid    NOT NULL REFERENCES payments.ledger_transactions,
    ledger_account        text    NOT NULL,
    customer_id           uuid,
    account_id            uuid,
    bill_id               uuid,
    amount                numeric NOT NULL CHECK (amount <> 0),
    PRIMARY KEY (utility_id, ledger_entry_id),
    FOREIGN KEY (utility_id, ledger_account) REFERENCES payments.ledger_accounts
);
CREATE INDEX ledger_entries_of_transaction ON payments.ledger_entries (ledger_transaction_id);
CREATE INDEX ledger_entries_of_customer ON payments.ledger_entries (customer_id, ledger_account) INCLUDE (amount, bill_id) WHERE customer_id IS NOT NULL;
CREATE INDEX ledger_entries_of_bill ON payments.ledger_entries (bill_id) INCLUDE (ledger_account, amount) WHERE bill_id IS NOT NULL;
CREATE INDEX ledger_entries_of_account ON payments.ledger_entries (utility_id, ledger_account) INCLUDE (amount);
COMMENT ON TABLE payments.ledger_entries IS 'Entries of postings: debit positive, credit negative; append-only';
COMMENT ON COLUMN payments.ledger_entries.ledger_entry_id IS 'Order of the entry';
COMMENT ON COLUMN payments.ledger_entries.utility_id IS 'The utility';
COMMENT ON COLUMN payments.ledger_entries.ledger_transaction_id IS 'Posting it belongs to';
COMMENT ON COLUMN payments.ledger_entries.ledger_account IS 'Account of the chart';
COMMENT ON COLUMN payments.ledger_entries.customer_id IS 'Customer, for receivables and credits';
COMMENT ON COLUMN payments.ledger_entries.account_id IS 'Agreement, where there is one';
COMMENT ON COLUMN payments.ledger_entries.bill_id IS 'Bill, for receivables';
COMMENT ON COLUMN payments.ledger_entries.amount IS 'Amount in the utility''s currency; debit positive, credit negative';
SELECT identity.protect('payments.ledger_entries', staff => 'SI', customer => 'customer_id = (SELECT identity.current_customer())', auditor => true, audited => false, append_only => true);

CREATE FUNCTION payments.check_balance() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    wrong record;
BEGIN
    SELECT ledger_transaction_id, sum(amount) AS rest INTO wrong FROM new_rows GROUP BY ledger_transaction_id HAVING sum(amount) <> 0 LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'posting % does not balance: its entries sum to %; write all entries of a posting in one statement', wrong.ledger_transaction_id, wrong.rest USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION payments.check_balance() IS 'Refuses entries of a posting that do not sum to zero; all entries of a posting come in one statement';
CREATE TRIGGER balanced AFTER INSERT ON payments.ledger_entries REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION payments.check_balance();

CREATE TABLE payments.payments (
    payment_id      uuid        PRIMARY KEY DEFAULT base.new_id(),
    utility_id      uuid        NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    customer_id     uuid        NOT NULL REFERENCES customers.customers,
    payment_date    date        NOT NULL,
    received_at     timestamptz NOT NULL,
    amount          numeric     NOT NULL CHECK (amount > 0),
    currency        char(3)     NOT NULL,
    method          text        NOT NULL CHECK (method IN ('bank', 'card', 'check', 'cash', 'lockbox', 'other')),
    reference       text,
    idempotency_key text        NOT NULL,
    payment_status  text        NOT NULL DEFAULT 'received' CHECK (payment_status IN ('received', 'returned', 'refunded')),
    CONSTRAINT a_payment_is_taken_once UNIQUE (utility_id, idempotency_key)
);
CREATE INDEX payments_of_customer ON payments.payments (customer_id, payment_date DESC);
CREATE INDEX payments_by_date ON payments.payments (utility_id, payment_date);
COMMENT ON TABLE payments.payments IS 'Money received';
COMMENT ON COLUMN payments.payments.payment_id IS 'Key';
COMMENT ON COLUMN payments.payments.utility_id IS 'The utility';
COMMENT ON COLUMN payments.payments.customer_id IS 'Who paid';
COMMENT ON COLUMN payments.payments.payment_date IS 'Local date it counts on';
COMMENT ON COLUMN payments.payments.received_at IS 'When it arrived';
COMMENT ON COLUMN payments.payments.amount IS 'Amount in currency';
COMMENT ON COLUMN payments.payments.currency IS 'ISO 4217 code';
COMMENT ON COLUMN payments.payments.method IS 'bank, card, check, cash, lockbox or other';
COMMENT ON COLUMN payments.payments.reference IS 'The payer''s or bank''s reference; never a card number';
COMMENT ON COLUMN payments.payments.idempotency_key IS 'Key the payer''s system gave it; kept for ever, so that nothing is taken twice';
COMMENT ON COLUMN payments.payments.payment_status IS 'received, returned or refunded';
SELECT identity.protect('payments.payments', customer => 'customer_id = (SELECT identity.current_customer())', auditor => true, personal => '{reference}');

CREATE FUNCTION payments.guard_payment() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    IF (to_jsonb(NEW) - 'payment_status') <> (to_jsonb(OLD) - 'payment_status') THEN
        RAISE EXCEPTION 'payment % was taken: it can be returned or refunded, never changed', OLD.payment_id USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION payments.guard_payment() IS 'Keeps a payment as it was taken: only its status changes';
CREATE TRIGGER guard_payment BEFORE UPDATE ON payments.payments FOR EACH ROW EXECUTE FUNCTION payments.guard_payment();

CREATE TABLE payments.allocations (
    payment_id uuid    NOT NULL REFERENCES payments.payments,
    bill_id    uuid    NOT NULL,
    utility_id uuid    NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    amount     numeric NOT NULL CHECK (amount > 0),
    PRIMARY KEY (payment_id, bill_id)
);
CREATE INDEX allocations_of_bill ON payments.allocations (bill_id);
COMMENT ON TABLE payments.allocations IS 'Which bills a payment paid; the rest of it is unapplied';
COMMENT ON COLUMN payments.allocations.payment_id IS 'The payment';
COMMENT ON COLUMN payments.allocations.bill_id IS 'The bill';
COMMENT ON COLUMN payments.allocations.utility_id IS 'The utility';
COMMENT ON COLUMN payments.allocations.amount IS 'Part of the payment, in its currency';
SELECT identity.protect('payments.allocations', staff => 'SI', customer => 'payment_id IN (SELECT p.payment_id FROM payments.payments p)', auditor => true, audited => false, append_only => true);

CREATE TABLE payments.arrangements (
    arrangement_id     uuid    PRIMARY KEY DEFAULT base.new_id(),
    utility_id         uuid    NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    customer_id        uuid    NOT NULL REFERENCES customers.customers,
    agreed_date        date    NOT NULL,
    total_amount       numeric NOT NULL CHECK (total_amount > 0),
    instalments        jsonb   NOT NULL,
    arrangement_status text    NOT NULL DEFAULT 'active' CHECK (arrangement_status IN ('active', 'kept', 'broken', 'cancelled'))
);
CREATE INDEX arrangements_of_customer ON payments.arrangements (customer_id);
COMMENT ON TABLE payments.arrangements IS 'Agreements to pay arrears in instalments';
COMMENT ON COLUMN payments.arrangements.arrangement_id IS 'Key';
COMMENT ON COLUMN payments.arrangements.utility_id IS 'The utility';
COMMENT ON COLUMN payments.arrangements.customer_id IS 'Who pays';
COMMENT ON COLUMN payments.arrangements.agreed_date IS 'Local date of the agreement';
COMMENT ON COLUMN payments.arrangements.total_amount IS 'Sum of the instalments, in the utility''s currency';
COMMENT ON COLUMN payments.arrangements.instalments IS 'List of {due_date, amount}';
COMMENT ON COLUMN payments.arrangements.arrangement_status IS 'active, kept, broken or cancelled';
SELECT identity.protect('payments.arrangements', customer => 'customer_id = (SELECT identity.current_customer())', auditor => true);

CREATE TABLE payments.deposits (
    deposit_id     uuid    PRIMARY KEY DEFAULT base.new_id(),
    utility_id     uuid    NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    customer_id    uuid    NOT NULL REFERENCES customers.customers,
    taken_date     date    NOT NULL,
    amount         numeric NOT NULL CHECK (amount > 0),
    interest_rate  numeric NOT NULL DEFAULT 0 CHECK (interest_rate >= 0),
    returned_date  date    CHECK (returned_date >= taken_date)
);
CREATE INDEX deposits_of_customer ON payments.deposits (customer_id);
COMMENT ON TABLE payments.deposits IS 'Security deposits held';
COMMENT ON COLUMN payments.deposits.deposit_id IS 'Key';
COMMENT ON COLUMN payments.deposits.utility_id IS 'The utility';
COMMENT ON COLUMN payments.deposits.customer_id IS 'Who gave it';
COMMENT ON COLUMN payments.deposits.taken_date IS 'Local date it was taken';
COMMENT ON COLUMN payments.deposits.amount IS 'Amount, in the utility''s currency';
COMMENT ON COLUMN payments.deposits.interest_rate IS 'Simple interest a year, 0.02 for 2 %';
COMMENT ON COLUMN payments.deposits.returned_date IS 'Local date it went back; NULL while held';
SELECT identity.protect('payments.deposits', customer => 'customer_id = (SELECT identity.current_customer())', auditor => true);

CREATE TABLE payments.collection_steps (
    collection_step_id uuid        PRIMARY KEY DEFAULT base.new_id(),
    utility_id         uuid        NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    customer_id        uuid        NOT NULL REFERENCES customers.customers,
    step               text        NOT NULL CHECK (step IN ('reminder', 'final_notice', 'disconnect_notice', 'disconnect_order', 'agency', 'stopped')),
    taken_at           timestamptz NOT NULL,
    overdue_amount     numeric     NOT NULL CHECK (overdue_amount >= 0),
    reason             text
);
CREATE INDEX collection_steps_of_customer ON payments.collection_steps (customer_id, taken_at DESC);
COMMENT ON TABLE payments.collection_steps IS 'What was done about an overdue balance, and what stopped it';
COMMENT ON COLUMN payments.collection_steps.collection_step_id IS 'Key';
COMMENT ON COLUMN payments.collection_steps.utility_id IS 'The utility';
COMMENT ON COLUMN payments.collection_steps.customer_id IS 'The customer';
COMMENT ON COLUMN payments.collection_steps.step IS 'reminder, final_notice, disconnect_notice, disconnect_order, agency or stopped';
COMMENT ON COLUMN payments.collection_steps.taken_at IS 'When';
COMMENT ON COLUMN payments.collection_steps.overdue_amount IS 'Overdue then, in the utility''s currency';
COMMENT ON COLUMN payments.collection_steps.reason IS 'Why, or what protection stopped it';
SELECT identity.protect('payments.collection_steps', auditor => true);
