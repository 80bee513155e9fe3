-- Who is served, where, under which agreement and at which rate.
CREATE SCHEMA customers;
COMMENT ON SCHEMA customers IS 'Customers, premises, service points, dated agreements and rate assignments, tickets, surveys';
GRANT USAGE ON SCHEMA customers TO mains_any;

CREATE TABLE customers.customers (
    customer_id     uuid        PRIMARY KEY DEFAULT base.new_id(),
    utility_id      uuid        NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    customer_number text        NOT NULL,
    full_name       text        NOT NULL CHECK (length(full_name) BETWEEN 1 AND 200),
    customer_class  text        NOT NULL CHECK (customer_class IN ('residential', 'commercial', 'industrial', 'public_authority')),
    email           text        CHECK (email LIKE '%_@_%'),
    phone           text,
    language        text        NOT NULL DEFAULT 'en',
    service_status  text        NOT NULL DEFAULT 'active' CHECK (service_status IN ('pending', 'active', 'suspended', 'closed')),
    service_zone_id uuid        REFERENCES network.service_zones,
    geolocation     point,
    is_protected    boolean     NOT NULL DEFAULT false,
    created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (utility_id, customer_number)
);
CREATE INDEX idx_customers_service_location ON customers.customers USING gist (geolocation);
CREATE INDEX customers_of_zone ON customers.customers (service_zone_id);
CREATE INDEX customers_by_name ON customers.customers USING gin (full_name gin_trgm_ops);
COMMENT ON TABLE customers.customers IS 'People and organisations the utility serves';
COMMENT ON COLUMN customers.customers.customer_id IS 'Key';
COMMENT ON COLUMN customers.customers.utility_id IS 'The utility';
COMMENT ON COLUMN customers.customers.customer_number IS 'Number the customer knows, one in the utility';
COMMENT ON COLUMN customers.customers.full_name IS 'Name of the person or organisation';
COMMENT ON COLUMN customers.customers.customer_class IS 'residential, commercial, industrial or public_authority';
COMMENT ON COLUMN customers.customers.email IS 'E-mail address for notices';
COMMENT ON COLUMN customers.customers.phone IS 'Telephone number, E.164 where known';
COMMENT ON COLUMN customers.customers.language IS 'Language they are written to in, BCP 47';
COMMENT ON COLUMN customers.customers.service_status IS 'pending, active, suspended or closed';
COMMENT ON COLUMN customers.customers.service_zone_id IS 'Zone of the main premise; the zone that counts is the service point''s';
COMMENT ON COLUMN customers.customers.geolocation IS 'Place of the main premise: (longitude, latitude) in degrees, WGS 84';
COMMENT ON COLUMN customers.customers.is_protected IS 'Not to be disconnected: medical, winter or other protection';
COMMENT ON COLUMN customers.customers.created_at IS 'When they became known here';
SELECT identity.protect('customers.customers', customer => 'customer_id = (SELECT identity.current_customer())', classification => 'confidential', personal => '{full_name,email,phone,geolocation}');

CREATE TABLE customers.premises (
    premise_id      uuid  PRIMARY KEY DEFAULT base.new_id(),
    utility_id      uuid  NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    premise_number  text  NOT NULL,
    address_line    text  NOT NULL,
    city            text  NOT NULL,
    region          text,
    postal_code     text,
    country         char(2) NOT NULL DEFAULT 'US',
    premise_type    text  NOT NULL DEFAULT 'house' CHECK (premise_type IN ('house', 'apartment', 'shop', 'office', 'factory', 'farm', 'public', 'other')),
    service_zone_id uuid  REFERENCES network.service_zones,
    geolocation     point,
    UNIQUE (utility_id, premise_number)
);
CREATE INDEX premises_of_zone ON customers.premises (service_zone_id);
CREATE INDEX premises_by_place ON customers.premises USING gist (geolocation);
COMMENT ON TABLE customers.premises IS 'Places that are supplied: a house, a flat, a shop';
COMMENT ON COLUMN customers.premises.premise_id IS 'Key';
COMMENT ON COLUMN customers.premises.utility_id IS 'The utility';
COMMENT ON COLUMN customers.premises.premise_number IS 'Number of the place, one in the utility';
COMMENT ON COLUMN customers.premises.address_line IS 'House number and street';
COMMENT ON COLUMN customers.premises.city IS 'Town';
COMMENT ON COLUMN customers.premises.region IS 'State or province';
COMMENT ON COLUMN customers.premises.postal_code IS 'Postal code';
COMMENT ON COLUMN customers.premises.country IS 'ISO 3166-1 alpha-2';
COMMENT ON COLUMN customers.premises.premise_type IS 'house, apartment, shop, office, factory, farm, public or other';
COMMENT ON COLUMN customers.premises.service_zone_id IS 'Zone it lies in';
COMMENT ON COLUMN customers.premises.geolocation IS 'Place: (longitude, latitude) in degrees, WGS 84';

CREATE TABLE customers.service_points (
    service_point_id     uuid  PRIMARY KEY DEFAULT base.new_id(),
    utility_id           uuid  NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    premise_id           uuid  NOT NULL REFERENCES customers.premises,
    service_point_number text  NOT NULL,
    commodity            text  NOT NULL CHECK (commodity IN ('electric', 'gas', 'water', 'sewer', 'telecom')),
    service_zone_id      uuid  REFERENCES network.service_zones,
    node_id              bigint,
    timezone             text  NOT NULL,
    nominal_voltage_v    numeric CHECK (nominal_voltage_v > 0),
    phases               text  CHECK (phases ~ '^[ABCN]{1,4}$'),
    service_size         text,
    is_critical          boolean NOT NULL DEFAULT false,
    UNIQUE (utility_id, service_point_number)
);
CREATE INDEX service_points_of_premise ON customers.service_points (premise_id);
CREATE INDEX service_points_of_zone ON customers.service_points (service_zone_id);
CREATE INDEX service_points_of_node ON customers.service_points (node_id);
COMMENT ON TABLE customers.service_points IS 'Where a commodity is handed over; meters hang here, the zone and the network end here';
COMMENT ON COLUMN customers.service_points.service_point_id IS 'Key';
COMMENT ON COLUMN customers.service_points.utility_id IS 'The utility';
COMMENT ON COLUMN customers.service_points.premise_id IS 'Place it belongs to';
COMMENT ON COLUMN customers.service_points.service_point_number IS 'Number of the point (NMI, MPAN, SDP …), one in the utility';
COMMENT ON COLUMN customers.service_points.commodity IS 'electric, gas, water, sewer or telecom';
COMMENT ON COLUMN customers.service_points.service_zone_id IS 'Zone that serves it';
COMMENT ON COLUMN customers.service_points.node_id IS 'Network node that feeds it';
COMMENT ON COLUMN customers.service_points.timezone IS 'IANA zone in which its days begin and end';
COMMENT ON COLUMN customers.service_points.nominal_voltage_v IS 'Nominal voltage, V; NULL where it is not electric';
COMMENT ON COLUMN customers.service_points.phases IS 'Phases connected, letters of ABCN; NULL where it is not electric';
COMMENT ON COLUMN customers.service_points.service_size IS 'Size of the connection as tariffs name it (5/8 inch, 200 A …)';
COMMENT ON COLUMN customers.service_points.is_critical IS 'A facility to be restored first: hospital, water works, shelter';

CREATE TABLE customers.service_accounts (
    account_id       uuid      PRIMARY KEY DEFAULT base.new_id(),
    utility_id       uuid      NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    customer_id      uuid      NOT NULL REFERENCES customers.customers,
    service_point_id uuid      NOT NULL REFERENCES customers.service_points,
    account_number   text      NOT NULL,
    commodity        text      NOT NULL CHECK (commodity IN ('electric', 'gas', 'water', 'sewer', 'telecom')),
    account_role     text      NOT NULL DEFAULT 'consumption' CHECK (account_role IN ('consumption', 'generation')),
    account_status   text      NOT NULL DEFAULT 'active' CHECK (account_status IN ('pending', 'active', 'final', 'closed')),
    active_period    tstzrange NOT NULL CHECK (NOT isempty(active_period) AND lower_inc(active_period) AND NOT upper_inc(active_period) AND NOT lower_inf(active_period)),
    billing_cycle    text      NOT NULL DEFAULT 'monthly',
    UNIQUE (utility_id, account_number),
    CONSTRAINT one_account_at_a_time EXCLUDE USING gist (service_point_id WITH =, commodity WITH =, account_role WITH =, active_period WITH &&)
);
CREATE INDEX service_accounts_of_customer ON customers.service_accounts (customer_id);
COMMENT ON TABLE customers.service_accounts IS 'Dated agreements: a customer takes a commodity at a service point for a time; one at a time, the database sees to it';
COMMENT ON COLUMN customers.service_accounts.account_id IS 'Key';
COMMENT ON COLUMN customers.service_accounts.utility_id IS 'The utility';
COMMENT ON COLUMN customers.service_accounts.customer_id IS 'Who takes the service';
COMMENT ON COLUMN customers.service_accounts.service_point_id IS 'Where';
COMMENT ON COLUMN customers.service_accounts.account_number IS 'Number on the bill, one in the utility';
COMMENT ON COLUMN customers.service_accounts.commodity IS 'electric, gas, water, sewer or telecom';
COMMENT ON COLUMN customers.service_accounts.account_role IS 'consumption, or generation where production is paid for apart';
COMMENT ON COLUMN customers.service_accounts.account_status IS 'pending, active, final (left, last bill due) or closed';
COMMENT ON COLUMN customers.service_accounts.active_period IS 'From move-in to move-out, half-open; begins and ends at local midnight of the service point';
COMMENT ON COLUMN customers.service_accounts.billing_cycle IS 'Code of the billing cycle it is billed in';

SELECT identity.protect('customers.premises', customer => 'premise_id IN (SELECT p.premise_id FROM customers.service_points p)', classification => 'confidential', personal => '{address_line,geolocation}');
SELECT identity.protect('customers.service_points', customer => 'service_point_id IN (SELECT a.service_point_id FROM customers.service_accounts a)', classification => 'internal');
SELECT identity.protect('customers.service_accounts', customer => 'customer_id = (SELECT identity.current_customer())', classification => 'confidential');

CREATE TABLE customers.rate_assignments (
    rate_assignment_id uuid      PRIMARY KEY DEFAULT base.new_id(),
    utility_id         uuid      NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    account_id         uuid      NOT NULL REFERENCES customers.service_accounts,
    rate_schedule_id   uuid      NOT NULL,
    effective_period   daterange NOT NULL CHECK (NOT isempty(effective_period) AND NOT lower_inf(effective_period)),
    CONSTRAINT one_rate_at_a_time EXCLUDE USING gist (account_id WITH =, effective_period WITH &&)
);
CREATE INDEX rate_assignments_of_rate ON customers.rate_assignments (rate_schedule_id);
COMMENT ON TABLE customers.rate_assignments IS 'Which rate an agreement is on, by date; one at a time, the database sees to it';
COMMENT ON COLUMN customers.rate_assignments.rate_assignment_id IS 'Key';
COMMENT ON COLUMN customers.rate_assignments.utility_id IS 'The utility';
COMMENT ON COLUMN customers.rate_assignments.account_id IS 'The agreement';
COMMENT ON COLUMN customers.rate_assignments.rate_schedule_id IS 'The rate (rates.rate_schedules)';
COMMENT ON COLUMN customers.rate_assignments.effective_period IS 'Local dates it holds, half-open';
SELECT identity.protect('customers.rate_assignments', customer => 'account_id IN (SELECT a.account_id FROM customers.service_accounts a)', auditor => true, classification => 'internal');

-- Who may not be disconnected -----------------------------------------------------------------------------------------------------------------------------------
CREATE TABLE customers.protections (
    protection_id    uuid      PRIMARY KEY DEFAULT base.new_id(),
    utility_id       uuid      NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    customer_id      uuid      NOT NULL REFERENCES customers.customers,
    protection_kind  text      NOT NULL CHECK (protection_kind IN ('life_support', 'medical', 'age', 'hardship', 'dispute', 'payment_plan', 'other')),
    protected_period tstzrange NOT NULL CHECK (NOT isempty(protected_period) AND NOT lower_inf(protected_period)),
    evidence         text      NOT NULL CHECK (length(evidence) BETWEEN 1 AND 2000)
);
CREATE INDEX protections_of_customer ON customers.protections (customer_id);
COMMENT ON TABLE customers.protections IS 'Why a customer may not be disconnected, from when to when';
COMMENT ON COLUMN customers.protections.protection_id IS 'Key';
COMMENT ON COLUMN customers.protections.utility_id IS 'The utility';
COMMENT ON COLUMN customers.protections.customer_id IS 'The customer';
COMMENT ON COLUMN customers.protections.protection_kind IS 'life_support, medical, age, hardship, dispute, payment_plan or other';
COMMENT ON COLUMN customers.protections.protected_period IS 'How long, half-open';
COMMENT ON COLUMN customers.protections.evidence IS 'What it rests on: certificate, letter, call';
SELECT identity.protect('customers.protections', staff => 'SIUD', customer => 'customer_id = (SELECT identity.current_customer())', auditor => true, personal => '{evidence}');

CREATE TABLE customers.moratoria (
    moratorium_id    uuid      PRIMARY KEY DEFAULT base.new_id(),
    utility_id       uuid      NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    moratorium_name  text      NOT NULL CHECK (length(moratorium_name) BETWEEN 1 AND 200),
    moratorium_period tstzrange NOT NULL CHECK (NOT isempty(moratorium_period) AND NOT lower_inf(moratorium_period)),
    commodity        text      CHECK (commodity IN ('electric', 'gas', 'water', 'sewer', 'telecom')),
    customer_class   text      CHECK (customer_class IN ('residential', 'commercial', 'industrial', 'public_authority')),
    service_zone_id  uuid      REFERENCES network.service_zones,
    UNIQUE (utility_id, moratorium_name)
);
CREATE INDEX moratoria_of_zone ON customers.moratoria (service_zone_id);
COMMENT ON TABLE customers.moratoria IS 'Times in which nobody is disconnected: winter, heat, disaster; for all or for a commodity, class or zone';
COMMENT ON COLUMN customers.moratoria.moratorium_id IS 'Key';
COMMENT ON COLUMN customers.moratoria.utility_id IS 'The utility';
COMMENT ON COLUMN customers.moratoria.moratorium_name IS 'Name people use: winter 2026/27';
COMMENT ON COLUMN customers.moratoria.moratorium_period IS 'How long, half-open';
COMMENT ON COLUMN customers.moratoria.commodity IS 'Commodity it holds for; NULL for all';
COMMENT ON COLUMN customers.moratoria.customer_class IS 'Class of customers it holds for; NULL for all';
COMMENT ON COLUMN customers.moratoria.service_zone_id IS 'Zone it holds for; NULL for all';
SELECT identity.protect('customers.moratoria', staff => 'SIUD', auditor => true, classification => 'internal');

-- The tables below customers can name them now -------------------------------------------------------------------------------------------------------------------
ALTER TABLE customers.service_points ADD FOREIGN KEY (node_id) REFERENCES network.nodes;
ALTER TABLE messages.outbox ADD FOREIGN KEY (customer_id) REFERENCES customers.customers;
ALTER TABLE messages.subscriptions ADD FOREIGN KEY (customer_id) REFERENCES customers.customers;

-- Talking with customers ------------------------------------------------------------------------------------------------------------------------------------------------
CREATE TABLE customers.contacts (
    contact_id   uuid        PRIMARY KEY DEFAULT base.new_id(),
    utility_id   uuid        NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    customer_id  uuid        NOT NULL REFERENCES customers.customers,
    contacted_at timestamptz NOT NULL,
    channel      text        NOT NULL CHECK (channel IN ('phone', 'email', 'letter', 'counter', 'web', 'chat', 'visit')),
    direction    text        NOT NULL DEFAULT 'inbound' CHECK (direction IN ('inbound', 'outbound')),
    topic        text        NOT NULL,
    note         text        CHECK (length(note) <= 10000),
    actor        text        NOT NULL DEFAULT current_setting('app.actor', true)
);
CREATE INDEX contacts_of_customer ON customers.contacts (customer_id, contacted_at DESC);
COMMENT ON TABLE customers.contacts IS 'Every contact with a customer: calls, letters, visits, chats';
COMMENT ON COLUMN customers.contacts.contact_id IS 'Key';
COMMENT ON COLUMN customers.contacts.utility_id IS 'The utility';
COMMENT ON COLUMN customers.contacts.customer_id IS 'The customer';
COMMENT ON COLUMN customers.contacts.contacted_at IS 'When';
COMMENT ON COLUMN customers.contacts.channel IS 'phone, email, letter, counter, web, chat or visit';
COMMENT ON COLUMN customers.contacts.direction IS 'inbound (they came to us) or outbound';
COMMENT ON COLUMN customers.contacts.topic IS 'What it was about';
COMMENT ON COLUMN customers.contacts.note IS 'What was said';
COMMENT ON COLUMN customers.contacts.actor IS 'Who talked with them';
SELECT identity.protect('customers.contacts', customer => 'customer_id = (SELECT identity.current_customer())', personal => '{note}');

CREATE TABLE customers.enrolments (
    enrolment_id    uuid      PRIMARY KEY DEFAULT base.new_id(),
    utility_id      uuid      NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    account_id      uuid      NOT NULL REFERENCES customers.service_accounts,
    programme_code  text      NOT NULL CHECK (programme_code ~ '^[a-z0-9-]{1,60}$'),
    enrolled_period tstzrange NOT NULL CHECK (NOT isempty(enrolled_period) AND NOT lower_inf(enrolled_period)),
    terms           jsonb     NOT NULL DEFAULT '{}',
    consent_note    text,
    CONSTRAINT enrolled_once_at_a_time EXCLUDE USING gist (account_id WITH =, programme_code WITH =, enrolled_period WITH &&)
);
CREATE INDEX enrolments_of_programme ON customers.enrolments (utility_id, programme_code);
COMMENT ON TABLE customers.enrolments IS 'Which programme an agreement takes part in (demand response, budget billing, paperless, green power …), from when to when';
COMMENT ON COLUMN customers.enrolments.enrolment_id IS 'Key';
COMMENT ON COLUMN customers.enrolments.utility_id IS 'The utility';
COMMENT ON COLUMN customers.enrolments.account_id IS 'The agreement';
COMMENT ON COLUMN customers.enrolments.programme_code IS 'Programme, by its short name; for demand response that of demand.programmes';
COMMENT ON COLUMN customers.enrolments.enrolled_period IS 'From enrolment to withdrawal, half-open';
COMMENT ON COLUMN customers.enrolments.terms IS 'What was agreed: caps, devices, incentives';
COMMENT ON COLUMN customers.enrolments.consent_note IS 'Where and how they agreed';
SELECT identity.protect('customers.enrolments', customer => 'account_id IN (SELECT a.account_id FROM customers.service_accounts a)', auditor => true);

CREATE TABLE customers.support_tickets (
    ticket_id     uuid        PRIMARY KEY DEFAULT base.new_id(),
    utility_id    uuid        NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    ticket_number bigint      GENERATED BY DEFAULT AS IDENTITY,
    customer_id   uuid        NOT NULL REFERENCES customers.customers,
    account_id    uuid        REFERENCES customers.service_accounts,
    topic         text        NOT NULL CHECK (topic IN ('bill', 'payment', 'meter', 'outage', 'quality', 'move', 'programme', 'privacy', 'other')),
    subject       text        NOT NULL CHECK (length(subject) BETWEEN 1 AND 300),
    description   text,
    priority      text        NOT NULL DEFAULT 'normal' CHECK (priority IN ('low', 'normal', 'high', 'urgent')),
    ticket_status text        NOT NULL DEFAULT 'open' CHECK (ticket_status IN ('open', 'waiting', 'resolved', 'closed')),
    is_complaint  boolean     NOT NULL DEFAULT false,
    opened_at     timestamptz NOT NULL,
    due_at        timestamptz CHECK (due_at >= opened_at),
    resolved_at   timestamptz CHECK (resolved_at >= opened_at),
    assigned_to   text,
    resolution    text,
    UNIQUE (utility_id, ticket_number),
    CONSTRAINT a_settled_ticket_says_when CHECK ((ticket_status IN ('resolved', 'closed')) = (resolved_at IS NOT NULL))
);
CREATE INDEX support_tickets_of_customer ON customers.support_tickets (customer_id, opened_at DESC);
CREATE INDEX support_tickets_of_account ON customers.support_tickets (account_id);
CREATE INDEX support_tickets_open ON customers.support_tickets (utility_id, due_at) WHERE ticket_status IN ('open', 'waiting');
COMMENT ON TABLE customers.support_tickets IS 'Things a customer asked for or complained of, until they are settled';
COMMENT ON COLUMN customers.support_tickets.ticket_id IS 'Key';
COMMENT ON COLUMN customers.support_tickets.utility_id IS 'The utility';
COMMENT ON COLUMN customers.support_tickets.ticket_number IS 'Number to tell the customer';
COMMENT ON COLUMN customers.support_tickets.customer_id IS 'The customer';
COMMENT ON COLUMN customers.support_tickets.account_id IS 'Agreement it is about, where there is one';
COMMENT ON COLUMN customers.support_tickets.topic IS 'bill, payment, meter, outage, quality, move, programme, privacy or other';
COMMENT ON COLUMN customers.support_tickets.subject IS 'What it is about, in a line';
COMMENT ON COLUMN customers.support_tickets.description IS 'The customer''s words';
COMMENT ON COLUMN customers.support_tickets.priority IS 'low, normal, high or urgent';
COMMENT ON COLUMN customers.support_tickets.ticket_status IS 'open, waiting (for the customer), resolved or closed';
COMMENT ON COLUMN customers.support_tickets.is_complaint IS 'Whether it counts as a complaint to the regulator';
COMMENT ON COLUMN customers.support_tickets.opened_at IS 'When it came in';
COMMENT ON COLUMN customers.support_tickets.due_at IS 'When it must be answered';
COMMENT ON COLUMN customers.support_tickets.resolved_at IS 'When it was settled';
COMMENT ON COLUMN customers.support_tickets.assigned_to IS 'Who deals with it';
COMMENT ON COLUMN customers.support_tickets.resolution IS 'How it was settled';
SELECT identity.protect('customers.support_tickets', customer => 'customer_id = (SELECT identity.current_customer())', personal => '{subject,description}');

CREATE TABLE customers.satisfaction_surveys (
    survey_id   uuid        PRIMARY KEY DEFAULT base.new_id(),
    utility_id  uuid        NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    customer_id uuid        NOT NULL REFERENCES customers.customers,
    about       text        NOT NULL CHECK (about IN ('outage', 'call', 'bill', 'work', 'move', 'website')),
    subject_id  uuid,
    sent_at     timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL CHECK (expires_at > sent_at),
    answered_at timestamptz CHECK (answered_at >= sent_at AND answered_at < expires_at),
    rating      smallint    CHECK (rating BETWEEN 1 AND 5),
    remark      text        CHECK (length(remark) <= 2000),
    CONSTRAINT an_answer_has_a_rating CHECK ((answered_at IS NULL) = (rating IS NULL)),
    CONSTRAINT a_remark_needs_an_answer CHECK (remark IS NULL OR answered_at IS NOT NULL)
);
CREATE INDEX satisfaction_surveys_of_customer ON customers.satisfaction_surveys (customer_id);
CREATE INDEX satisfaction_surveys_by_answer ON customers.satisfaction_surveys (utility_id, answered_at);
COMMENT ON TABLE customers.satisfaction_surveys IS 'Invitations to rate a service, and their answers; what the dashboards call satisfaction';
COMMENT ON COLUMN customers.satisfaction_surveys.survey_id IS 'Key';
COMMENT ON COLUMN customers.satisfaction_surveys.utility_id IS 'The utility';
COMMENT ON COLUMN customers.satisfaction_surveys.customer_id IS 'The customer who was asked';
COMMENT ON COLUMN customers.satisfaction_surveys.about IS 'outage, call, bill, work, move or website';
COMMENT ON COLUMN customers.satisfaction_surveys.subject_id IS 'Key of the outage, ticket, bill … it is about';
COMMENT ON COLUMN customers.satisfaction_surveys.sent_at IS 'When they were asked';
COMMENT ON COLUMN customers.satisfaction_surveys.expires_at IS 'End of the time to answer, exclusive';
COMMENT ON COLUMN customers.satisfaction_surveys.answered_at IS 'When they answered; NULL while they have not';
COMMENT ON COLUMN customers.satisfaction_surveys.rating IS 'Satisfaction, 1 (worst) to 5 (best)';
COMMENT ON COLUMN customers.satisfaction_surveys.remark IS 'Their words';
SELECT identity.protect('customers.satisfaction_surveys', customer => 'customer_id = (SELECT identity.current_customer())', classification => 'confidential', personal => '{remark}');
