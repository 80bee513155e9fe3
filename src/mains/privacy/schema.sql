-- Who agreed to what, what was let out, how much privacy it cost, how long things are kept, and what people asked for.
CREATE SCHEMA privacy;
COMMENT ON SCHEMA privacy IS 'Purposes, consents, releases of aggregates with their privacy budget, retention rules, requests of data subjects';
GRANT USAGE ON SCHEMA privacy TO mains_any;

CREATE TABLE privacy.purposes (
    purpose_code  text    NOT NULL CHECK (purpose_code ~ '^[a-z0-9-]{1,60}$'),
    utility_id    uuid    NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    purpose_name  text    NOT NULL,
    description   text    NOT NULL,
    legal_basis   text    NOT NULL CHECK (legal_basis IN ('contract', 'law', 'consent', 'legitimate_interest', 'public_task')),
    PRIMARY KEY (utility_id, purpose_code)
);
COMMENT ON TABLE privacy.purposes IS 'What personal data may be used for, and on what ground';
COMMENT ON COLUMN privacy.purposes.purpose_code IS 'Short name, one in the utility';
COMMENT ON COLUMN privacy.purposes.utility_id IS 'The utility';
COMMENT ON COLUMN privacy.purposes.purpose_name IS 'Name people read';
COMMENT ON COLUMN privacy.purposes.description IS 'What is done with which data';
COMMENT ON COLUMN privacy.purposes.legal_basis IS 'contract, law, consent, legitimate_interest or public_task; only consent needs a row in consents';
SELECT identity.protect('privacy.purposes', customer => 'true', auditor => true, classification => 'public');

CREATE TABLE privacy.consents (
    consent_id     uuid      PRIMARY KEY DEFAULT base.new_id(),
    utility_id     uuid      NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    customer_id    uuid      NOT NULL REFERENCES customers.customers,
    purpose_code   text      NOT NULL,
    recipient      text      NOT NULL DEFAULT 'utility',
    consent_period tstzrange NOT NULL CHECK (NOT isempty(consent_period) AND NOT lower_inf(consent_period)),
    how_given      text      NOT NULL CHECK (how_given IN ('web', 'phone', 'paper', 'counter', 'oauth')),
    wording        text      NOT NULL,
    scope          jsonb     NOT NULL DEFAULT '{}',
    FOREIGN KEY (utility_id, purpose_code) REFERENCES privacy.purposes,
    CONSTRAINT one_consent_at_a_time EXCLUDE USING gist (customer_id WITH =, purpose_code WITH =, recipient WITH =, consent_period WITH &&)
);
CREATE INDEX consents_of_customer ON privacy.consents (customer_id);
CREATE INDEX consents_of_purpose ON privacy.consents (utility_id, purpose_code);
COMMENT ON TABLE privacy.consents IS 'What a customer agreed to, for whom, from when to when';
COMMENT ON COLUMN privacy.consents.consent_id IS 'Key';
COMMENT ON COLUMN privacy.consents.utility_id IS 'The utility';
COMMENT ON COLUMN privacy.consents.customer_id IS 'The customer';
COMMENT ON COLUMN privacy.consents.purpose_code IS 'The purpose';
COMMENT ON COLUMN privacy.consents.recipient IS 'Who may use it: utility, or the name of a third party';
COMMENT ON COLUMN privacy.consents.consent_period IS 'From giving to withdrawing, half-open; open-ended while it holds';
COMMENT ON COLUMN privacy.consents.how_given IS 'web, phone, paper, counter or oauth';
COMMENT ON COLUMN privacy.consents.wording IS 'Text they agreed to';
COMMENT ON COLUMN privacy.consents.scope IS 'Agreements and data it covers, where not all';
SELECT identity.protect('privacy.consents', customer => 'customer_id = (SELECT identity.current_customer())', auditor => true);

CREATE TABLE privacy.dp_budgets (
    dp_budget_id    uuid      PRIMARY KEY DEFAULT base.new_id(),
    utility_id      uuid      NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    budget_name     text      NOT NULL,
    unit_of_privacy text      NOT NULL DEFAULT 'customer' CHECK (unit_of_privacy IN ('customer', 'premise')),
    measure         text      NOT NULL CHECK (measure IN ('epsilon', 'rho')),
    valid_period    daterange NOT NULL CHECK (NOT isempty(valid_period)),
    budget          numeric   NOT NULL CHECK (budget > 0),
    spent           numeric   NOT NULL DEFAULT 0 CHECK (spent >= 0),
    approved_by     text      NOT NULL,
    UNIQUE (utility_id, budget_name),
    CONSTRAINT never_overspent CHECK (spent <= budget)
);
COMMENT ON TABLE privacy.dp_budgets IS 'How much differential privacy may be spent on one set of people and data; the database refuses to overspend';
COMMENT ON COLUMN privacy.dp_budgets.dp_budget_id IS 'Key';
COMMENT ON COLUMN privacy.dp_budgets.utility_id IS 'The utility';
COMMENT ON COLUMN privacy.dp_budgets.budget_name IS 'Name people use';
COMMENT ON COLUMN privacy.dp_budgets.unit_of_privacy IS 'Who is protected: customer or premise';
COMMENT ON COLUMN privacy.dp_budgets.measure IS 'epsilon (pure) or rho (zero-concentrated)';
COMMENT ON COLUMN privacy.dp_budgets.valid_period IS 'Local dates it is for, half-open';
COMMENT ON COLUMN privacy.dp_budgets.budget IS 'What may be spent, in the measure';
COMMENT ON COLUMN privacy.dp_budgets.spent IS 'What has been spent; kept by the spends';
COMMENT ON COLUMN privacy.dp_budgets.approved_by IS 'Who set it';
SELECT identity.protect('privacy.dp_budgets', staff => 'SIU', auditor => true, classification => 'internal');

CREATE TABLE privacy.releases (
    release_id      uuid        PRIMARY KEY DEFAULT base.new_id(),
    utility_id      uuid        NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    question        jsonb       NOT NULL,
    question_sha256 bytea       NOT NULL CHECK (length(question_sha256) = 32),
    method          text        NOT NULL CHECK (method IN ('aggregation_rule', 'differential_privacy')),
    parameters      jsonb       NOT NULL,
    answer          jsonb       NOT NULL,
    asked_by        text        NOT NULL DEFAULT current_setting('app.actor', true),
    recipient       text        NOT NULL,
    released_at     timestamptz NOT NULL,
    data_as_of      timestamptz NOT NULL,
    UNIQUE (utility_id, question_sha256)
);
CREATE INDEX releases_by_time ON privacy.releases (utility_id, released_at DESC);
COMMENT ON TABLE privacy.releases IS 'Figures about groups of people that were let out, noted before they are shown; the same question gets the same answer; append-only';
COMMENT ON COLUMN privacy.releases.release_id IS 'Key';
COMMENT ON COLUMN privacy.releases.utility_id IS 'The utility';
COMMENT ON COLUMN privacy.releases.question IS 'What was asked: figure, zone, period, grouping';
COMMENT ON COLUMN privacy.releases.question_sha256 IS 'SHA-256 of the canonical question';
COMMENT ON COLUMN privacy.releases.method IS 'aggregation_rule or differential_privacy';
COMMENT ON COLUMN privacy.releases.parameters IS 'The rule''s limits, or the mechanism with its bounds and scale';
COMMENT ON COLUMN privacy.releases.answer IS 'What was answered, suppressed cells included';
COMMENT ON COLUMN privacy.releases.asked_by IS 'Who asked';
COMMENT ON COLUMN privacy.releases.recipient IS 'Who receives it';
COMMENT ON COLUMN privacy.releases.released_at IS 'When';
COMMENT ON COLUMN privacy.releases.data_as_of IS 'Instant whose data it shows';
SELECT identity.protect('privacy.releases', staff => 'SI', regulator => 'true', auditor => true, audited => false, classification => 'internal', append_only => true);

CREATE TABLE privacy.dp_spends (
    dp_spend_id  uuid        PRIMARY KEY DEFAULT base.new_id(),
    utility_id   uuid        NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    dp_budget_id uuid        NOT NULL REFERENCES privacy.dp_budgets,
    release_id   uuid        NOT NULL REFERENCES privacy.releases,
    amount       numeric     NOT NULL CHECK (amount > 0),
    spent_at     timestamptz NOT NULL,
    UNIQUE (dp_budget_id, release_id)
);
CREATE INDEX dp_spends_of_release ON privacy.dp_spends (release_id);
COMMENT ON TABLE privacy.dp_spends IS 'What each release cost of which budget; append-only';
COMMENT ON COLUMN privacy.dp_spends.dp_spend_id IS 'Key';
COMMENT ON COLUMN privacy.dp_spends.utility_id IS 'The utility';
COMMENT ON COLUMN privacy.dp_spends.dp_budget_id IS 'The budget';
COMMENT ON COLUMN privacy.dp_spends.release_id IS 'The release';
COMMENT ON COLUMN privacy.dp_spends.amount IS 'What it cost, in the budget''s measure';
COMMENT ON COLUMN privacy.dp_spends.spent_at IS 'When';
SELECT identity.protect('privacy.dp_spends', staff => 'SI', auditor => true, audited => false, classification => 'internal', append_only => true);

CREATE FUNCTION privacy.spend() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    UPDATE privacy.dp_budgets b SET spent = b.spent + NEW.amount WHERE b.dp_budget_id = NEW.dp_budget_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'budget % is not here', NEW.dp_budget_id USING ERRCODE = 'foreign_key_violation';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION privacy.spend() IS 'Takes a spend off its budget in the same transaction; the budget''s CHECK refuses what is too much';
CREATE TRIGGER spend BEFORE INSERT ON privacy.dp_spends FOR EACH ROW EXECUTE FUNCTION privacy.spend();

CREATE TABLE privacy.retention_rules (
    retention_rule_id uuid     PRIMARY KEY DEFAULT base.new_id(),
    utility_id        uuid     NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    table_name        text     NOT NULL,
    kept_for          interval NOT NULL CHECK (kept_for > interval '0'),
    date_column       text     NOT NULL,
    action            text     NOT NULL CHECK (action IN ('delete', 'pseudonymise', 'archive')),
    legal_basis       text     NOT NULL,
    is_held           boolean  NOT NULL DEFAULT false,
    UNIQUE (utility_id, table_name, action)
);
COMMENT ON TABLE privacy.retention_rules IS 'How long data of a kind are kept, and on what ground';
COMMENT ON COLUMN privacy.retention_rules.retention_rule_id IS 'Key';
COMMENT ON COLUMN privacy.retention_rules.utility_id IS 'The utility';
COMMENT ON COLUMN privacy.retention_rules.table_name IS 'Schema and table';
COMMENT ON COLUMN privacy.retention_rules.kept_for IS 'How long, from the row''s own date';
COMMENT ON COLUMN privacy.retention_rules.date_column IS 'Column it is counted from';
COMMENT ON COLUMN privacy.retention_rules.action IS 'delete, pseudonymise or archive';
COMMENT ON COLUMN privacy.retention_rules.legal_basis IS 'Law or contract that asks for it';
COMMENT ON COLUMN privacy.retention_rules.is_held IS 'Whether a legal hold stops it';
SELECT identity.protect('privacy.retention_rules', staff => 'SIUD', auditor => true, classification => 'internal');

CREATE TABLE privacy.privacy_requests (
    privacy_request_id uuid        PRIMARY KEY DEFAULT base.new_id(),
    utility_id         uuid        NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    customer_id        uuid        NOT NULL REFERENCES customers.customers,
    request_kind       text        NOT NULL CHECK (request_kind IN ('access', 'export', 'correction', 'erasure', 'restriction', 'objection')),
    request_status     text        NOT NULL DEFAULT 'received' CHECK (request_status IN ('received', 'verified', 'in_progress', 'done', 'refused')),
    received_at        timestamptz NOT NULL,
    due_at             timestamptz NOT NULL CHECK (due_at > received_at),
    answered_at        timestamptz CHECK (answered_at >= received_at),
    detail             text,
    outcome            text,
    CONSTRAINT an_answer_has_an_outcome CHECK ((request_status IN ('done', 'refused')) = (answered_at IS NOT NULL AND outcome IS NOT NULL))
);
CREATE INDEX privacy_requests_of_customer ON privacy.privacy_requests (customer_id);
CREATE INDEX privacy_requests_open ON privacy.privacy_requests (utility_id, due_at) WHERE request_status NOT IN ('done', 'refused');
COMMENT ON TABLE privacy.privacy_requests IS 'What people asked for: their data, a correction, erasure, a copy to take along; and what was done by when';
COMMENT ON COLUMN privacy.privacy_requests.privacy_request_id IS 'Key';
COMMENT ON COLUMN privacy.privacy_requests.utility_id IS 'The utility';
COMMENT ON COLUMN privacy.privacy_requests.customer_id IS 'The customer';
COMMENT ON COLUMN privacy.privacy_requests.request_kind IS 'access, export, correction, erasure, restriction or objection';
COMMENT ON COLUMN privacy.privacy_requests.request_status IS 'received, verified (who they are), in_progress, done or refused';
COMMENT ON COLUMN privacy.privacy_requests.received_at IS 'When it came in';
COMMENT ON COLUMN privacy.privacy_requests.due_at IS 'When it must be answered';
COMMENT ON COLUMN privacy.privacy_requests.answered_at IS 'When it was answered';
COMMENT ON COLUMN privacy.privacy_requests.detail IS 'What they asked for';
COMMENT ON COLUMN privacy.privacy_requests.outcome IS 'What was done, or why it was refused';
SELECT identity.protect('privacy.privacy_requests', customer => 'customer_id = (SELECT identity.current_customer())', auditor => true, personal => '{detail}');
