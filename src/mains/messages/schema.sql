-- What people are told: templates, what is to be sent, what became of it, and who wants to hear of what. Stands below network and customers, which add their keys to it.
CREATE SCHEMA messages;
COMMENT ON SCHEMA messages IS 'Templates, outbox, deliveries and subscriptions of messages to people and systems';
GRANT USAGE ON SCHEMA messages TO mains_any;

CREATE TABLE messages.templates (
    template_id    uuid        PRIMARY KEY DEFAULT base.new_id(),
    utility_id     uuid        NOT NULL DEFAULT identity.current_utility(),
    template_code  text        NOT NULL CHECK (template_code ~ '^[a-z0-9-]{1,60}$'),
    channel        text        NOT NULL CHECK (channel IN ('email', 'sms', 'push', 'voice', 'webhook')),
    language       text        NOT NULL DEFAULT 'en',
    version_number integer     NOT NULL DEFAULT 1 CHECK (version_number > 0),
    subject        text,
    body           text        NOT NULL CHECK (length(body) > 0),
    is_active      boolean     NOT NULL DEFAULT true,
    created_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (utility_id, template_code, channel, language, version_number)
);
CREATE UNIQUE INDEX one_active_text ON messages.templates (utility_id, template_code, channel, language) WHERE is_active;
COMMENT ON TABLE messages.templates IS 'Texts of messages by occasion, channel and language; a changed text is a new version';
COMMENT ON COLUMN messages.templates.template_id IS 'Key';
COMMENT ON COLUMN messages.templates.utility_id IS 'The utility';
COMMENT ON COLUMN messages.templates.template_code IS 'Occasion: outage-confirmed, bill-issued …';
COMMENT ON COLUMN messages.templates.channel IS 'email, sms, push, voice or webhook';
COMMENT ON COLUMN messages.templates.language IS 'Language of the text, BCP 47';
COMMENT ON COLUMN messages.templates.version_number IS 'Version of the text, from 1';
COMMENT ON COLUMN messages.templates.subject IS 'Subject line, where the channel has one';
COMMENT ON COLUMN messages.templates.body IS 'Text with {placeholders}';
COMMENT ON COLUMN messages.templates.is_active IS 'Whether it is the text in use';
COMMENT ON COLUMN messages.templates.created_at IS 'When it was written';
SELECT identity.protect('messages.templates', auditor => true, classification => 'internal');

CREATE TABLE messages.outbox (
    message_id        uuid        PRIMARY KEY DEFAULT base.new_id(),
    utility_id        uuid        NOT NULL DEFAULT identity.current_utility(),
    dedupe_key        text        NOT NULL CHECK (length(dedupe_key) BETWEEN 1 AND 300),
    template_id       uuid        REFERENCES messages.templates,
    customer_id       uuid,
    channel           text        NOT NULL CHECK (channel IN ('email', 'sms', 'push', 'voice', 'webhook')),
    recipient         text        NOT NULL,
    subject           text,
    body              text        NOT NULL,
    is_urgent         boolean     NOT NULL DEFAULT false,
    message_status    text        NOT NULL DEFAULT 'waiting' CHECK (message_status IN ('waiting', 'claimed', 'sent', 'failed', 'suppressed')),
    suppressed_reason text,
    created_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    send_after        timestamptz NOT NULL DEFAULT clock_timestamp(),
    claimed_at        timestamptz,
    claimed_by        text,
    attempts          integer     NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    CONSTRAINT one_message_a_person_and_change UNIQUE (utility_id, dedupe_key),
    CONSTRAINT a_claim_has_a_worker CHECK (message_status <> 'claimed' OR (claimed_at IS NOT NULL AND claimed_by IS NOT NULL)),
    CONSTRAINT silence_has_a_reason CHECK (message_status <> 'suppressed' OR suppressed_reason IS NOT NULL)
);
CREATE INDEX outbox_waiting ON messages.outbox (send_after, message_id) WHERE message_status = 'waiting';
CREATE INDEX outbox_of_customer ON messages.outbox (customer_id, created_at DESC);
CREATE INDEX outbox_of_template ON messages.outbox (template_id);
COMMENT ON TABLE messages.outbox IS 'Messages to be sent, written in the transaction of what they tell; workers claim them, each is sent once';
COMMENT ON COLUMN messages.outbox.message_id IS 'Key';
COMMENT ON COLUMN messages.outbox.utility_id IS 'The utility';
COMMENT ON COLUMN messages.outbox.dedupe_key IS 'What is told to whom (outage, change, person, channel): one message a person and change';
COMMENT ON COLUMN messages.outbox.template_id IS 'Text it was made from; NULL for a webhook';
COMMENT ON COLUMN messages.outbox.customer_id IS 'Customer it is for; NULL for a system';
COMMENT ON COLUMN messages.outbox.channel IS 'email, sms, push, voice or webhook';
COMMENT ON COLUMN messages.outbox.recipient IS 'Address, number or URL';
COMMENT ON COLUMN messages.outbox.subject IS 'Subject line';
COMMENT ON COLUMN messages.outbox.body IS 'Text as sent';
COMMENT ON COLUMN messages.outbox.is_urgent IS 'Whether it goes out in quiet hours too: safety, medical';
COMMENT ON COLUMN messages.outbox.message_status IS 'waiting, claimed, sent, failed (given up) or suppressed (no consent, or overtaken)';
COMMENT ON COLUMN messages.outbox.suppressed_reason IS 'Why it was suppressed';
COMMENT ON COLUMN messages.outbox.created_at IS 'When it was written';
COMMENT ON COLUMN messages.outbox.send_after IS 'Not before this instant: quiet hours, retries';
COMMENT ON COLUMN messages.outbox.claimed_at IS 'When a worker took it';
COMMENT ON COLUMN messages.outbox.claimed_by IS 'Name of the worker';
COMMENT ON COLUMN messages.outbox.attempts IS 'Times it was tried';
SELECT identity.protect('messages.outbox', customer => 'customer_id = (SELECT identity.current_customer())', audited => false, personal => '{recipient,body}');

CREATE TABLE messages.deliveries (
    delivery_id        uuid        PRIMARY KEY DEFAULT base.new_id(),
    utility_id         uuid        NOT NULL DEFAULT identity.current_utility(),
    message_id         uuid        NOT NULL REFERENCES messages.outbox,
    attempted_at       timestamptz NOT NULL,
    delivery_status    text        NOT NULL CHECK (delivery_status IN ('accepted', 'delivered', 'bounced', 'refused', 'timed_out')),
    provider           text        NOT NULL,
    provider_reference text,
    detail             text
);
CREATE INDEX deliveries_of_message ON messages.deliveries (message_id, attempted_at);
COMMENT ON TABLE messages.deliveries IS 'What became of each try to send a message; append-only, it is the proof';
COMMENT ON COLUMN messages.deliveries.delivery_id IS 'Key';
COMMENT ON COLUMN messages.deliveries.utility_id IS 'The utility';
COMMENT ON COLUMN messages.deliveries.message_id IS 'The message';
COMMENT ON COLUMN messages.deliveries.attempted_at IS 'When it was tried';
COMMENT ON COLUMN messages.deliveries.delivery_status IS 'accepted (by the next system), delivered, bounced, refused or timed_out';
COMMENT ON COLUMN messages.deliveries.provider IS 'System that took it';
COMMENT ON COLUMN messages.deliveries.provider_reference IS 'Its number there';
COMMENT ON COLUMN messages.deliveries.detail IS 'What the provider said';
SELECT identity.protect('messages.deliveries', staff => 'SI', customer => 'message_id IN (SELECT m.message_id FROM messages.outbox m)', auditor => true, audited => false, append_only => true);

CREATE TABLE messages.subscriptions (
    subscription_id uuid        PRIMARY KEY DEFAULT base.new_id(),
    utility_id      uuid        NOT NULL DEFAULT identity.current_utility(),
    customer_id     uuid        NOT NULL,
    topic           text        NOT NULL CHECK (topic IN ('outage', 'bill', 'payment', 'usage', 'demand_event', 'planned_work', 'service')),
    channel         text        NOT NULL CHECK (channel IN ('email', 'sms', 'push', 'voice', 'webhook')),
    address         text        NOT NULL,
    quiet_from      time,
    quiet_to        time,
    subscribed_at   timestamptz NOT NULL,
    cancelled_at    timestamptz CHECK (cancelled_at >= subscribed_at),
    CONSTRAINT quiet_hours_have_two_ends CHECK ((quiet_from IS NULL) = (quiet_to IS NULL))
);
CREATE UNIQUE INDEX one_subscription ON messages.subscriptions (customer_id, topic, channel, address) WHERE cancelled_at IS NULL;
CREATE INDEX subscriptions_of_customer ON messages.subscriptions (customer_id);
CREATE INDEX subscriptions_by_topic ON messages.subscriptions (utility_id, topic) WHERE cancelled_at IS NULL;
COMMENT ON TABLE messages.subscriptions IS 'Who wants to hear of what, where, and when not';
COMMENT ON COLUMN messages.subscriptions.subscription_id IS 'Key';
COMMENT ON COLUMN messages.subscriptions.utility_id IS 'The utility';
COMMENT ON COLUMN messages.subscriptions.customer_id IS 'The customer';
COMMENT ON COLUMN messages.subscriptions.topic IS 'outage, bill, payment, usage, demand_event, planned_work or service';
COMMENT ON COLUMN messages.subscriptions.channel IS 'email, sms, push, voice or webhook';
COMMENT ON COLUMN messages.subscriptions.address IS 'Address or number to use';
COMMENT ON COLUMN messages.subscriptions.quiet_from IS 'Local time from which nothing is sent but what is urgent';
COMMENT ON COLUMN messages.subscriptions.quiet_to IS 'Local time from which it is sent again';
COMMENT ON COLUMN messages.subscriptions.subscribed_at IS 'When they asked for it';
COMMENT ON COLUMN messages.subscriptions.cancelled_at IS 'When they asked for no more; NULL while it holds';
SELECT identity.protect('messages.subscriptions', customer => 'customer_id = (SELECT identity.current_customer())', auditor => true, personal => '{address}');
