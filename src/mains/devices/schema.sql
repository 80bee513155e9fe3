-- What hangs in the field: meters and where they hung when.
CREATE SCHEMA devices;
COMMENT ON SCHEMA devices IS 'Meters, other smart devices, sensors and their readings, firmware campaigns, commands';
GRANT USAGE ON SCHEMA devices TO mains_any;

CREATE TABLE devices.meter_models (
    meter_model_id uuid     PRIMARY KEY DEFAULT base.new_id(),
    utility_id     uuid     NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    model_code     text     NOT NULL CHECK (model_code ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,59}$'),
    commodity      text     NOT NULL CHECK (commodity IN ('electric', 'gas', 'water')),
    manufacturer   text,
    model          text,
    dial_digits    smallint CHECK (dial_digits BETWEEN 3 AND 12),
    has_switch     boolean  NOT NULL DEFAULT false,
    UNIQUE (utility_id, model_code)
);
COMMENT ON TABLE devices.meter_models IS 'Types of meters that the utility uses; a meter of a type gets the type''s channels when it is installed';
COMMENT ON COLUMN devices.meter_models.meter_model_id IS 'Key';
COMMENT ON COLUMN devices.meter_models.utility_id IS 'The utility';
COMMENT ON COLUMN devices.meter_models.model_code IS 'Short name of the type, one in the utility';
COMMENT ON COLUMN devices.meter_models.commodity IS 'electric, gas or water';
COMMENT ON COLUMN devices.meter_models.manufacturer IS 'Maker';
COMMENT ON COLUMN devices.meter_models.model IS 'Maker''s name of the type';
COMMENT ON COLUMN devices.meter_models.dial_digits IS 'Digits of the register before it rolls over to zero; NULL where unknown';
COMMENT ON COLUMN devices.meter_models.has_switch IS 'Whether it can be connected and disconnected from afar';
SELECT identity.protect('devices.meter_models', classification => 'internal');

CREATE TABLE devices.meter_model_channels (
    meter_model_id uuid     NOT NULL REFERENCES devices.meter_models,
    register       text     NOT NULL CHECK (length(register) BETWEEN 1 AND 200),
    utility_id     uuid     NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    flow           text     NOT NULL DEFAULT 'delivered' CHECK (flow IN ('delivered', 'received', 'net', 'total')),
    unit           text     NOT NULL,
    pow10          smallint NOT NULL DEFAULT 0 CHECK (pow10 BETWEEN -12 AND 12),
    multiplier     numeric  NOT NULL DEFAULT 1 CHECK (multiplier > 0),
    interval_s     integer  CHECK (interval_s BETWEEN 1 AND 86400 AND 86400 % interval_s = 0),
    PRIMARY KEY (meter_model_id, register)
);
COMMENT ON TABLE devices.meter_model_channels IS 'What a type of meter measures: its registers, from which a meter''s channels are made';
COMMENT ON COLUMN devices.meter_model_channels.meter_model_id IS 'The type';
COMMENT ON COLUMN devices.meter_model_channels.register IS 'Name of the register in files';
COMMENT ON COLUMN devices.meter_model_channels.utility_id IS 'The utility';
COMMENT ON COLUMN devices.meter_model_channels.flow IS 'delivered, received, net or total';
COMMENT ON COLUMN devices.meter_model_channels.unit IS 'Unit of the value';
COMMENT ON COLUMN devices.meter_model_channels.pow10 IS 'Value in units = raw x 10^pow10 x multiplier';
COMMENT ON COLUMN devices.meter_model_channels.multiplier IS 'Transformer ratio or dial multiplier';
COMMENT ON COLUMN devices.meter_model_channels.interval_s IS 'Length of an interval, s; NULL for a register that is read now and then';
SELECT identity.protect('devices.meter_model_channels', staff => 'SIUD', classification => 'internal');

CREATE TABLE devices.meters (
    meter_id       uuid     PRIMARY KEY DEFAULT base.new_id(),
    utility_id     uuid     NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    meter_number   text     NOT NULL CHECK (length(meter_number) BETWEEN 1 AND 100),
    commodity      text     NOT NULL CHECK (commodity IN ('electric', 'gas', 'water')),
    manufacturer   text,
    model          text,
    dial_digits    smallint CHECK (dial_digits BETWEEN 3 AND 12),
    meter_status   text     NOT NULL DEFAULT 'active' CHECK (meter_status IN ('inventory', 'active', 'unassigned', 'removed', 'retired')),
    registered_by  text     NOT NULL DEFAULT 'staff' CHECK (registered_by IN ('staff', 'import')),
    meter_model_id uuid     REFERENCES devices.meter_models,
    UNIQUE (utility_id, meter_number)
);
CREATE INDEX meters_of_model ON devices.meters (meter_model_id);
COMMENT ON TABLE devices.meters IS 'Meters, by the number that files and people name them by';
COMMENT ON COLUMN devices.meters.meter_id IS 'Key';
COMMENT ON COLUMN devices.meters.utility_id IS 'The utility';
COMMENT ON COLUMN devices.meters.meter_number IS 'Number in files (serial, NMI, usage point), one in the utility';
COMMENT ON COLUMN devices.meters.commodity IS 'electric, gas or water';
COMMENT ON COLUMN devices.meters.manufacturer IS 'Maker';
COMMENT ON COLUMN devices.meters.model IS 'Maker''s name of the type';
COMMENT ON COLUMN devices.meters.dial_digits IS 'Digits of the register before it rolls over to zero; NULL where unknown';
COMMENT ON COLUMN devices.meters.meter_status IS 'inventory, active, unassigned (readings arrive, but it hangs at no service point), removed or retired';
COMMENT ON COLUMN devices.meters.registered_by IS 'staff, or import where a file brought it';
COMMENT ON COLUMN devices.meters.meter_model_id IS 'Its type; NULL where nobody entered one';

CREATE FUNCTION devices.guard_meter_status() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    IF NOT (CASE OLD.meter_status
        WHEN 'inventory' THEN NEW.meter_status = ANY ('{active,retired}'::text[])
        WHEN 'unassigned' THEN NEW.meter_status = ANY ('{active,inventory,retired}'::text[])
        WHEN 'active' THEN NEW.meter_status = 'removed'
        WHEN 'removed' THEN NEW.meter_status = ANY ('{inventory,retired}'::text[])
        ELSE false
    END) THEN
        RAISE EXCEPTION 'meter % cannot go from % to %', OLD.meter_number, OLD.meter_status, NEW.meter_status USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION devices.guard_meter_status() IS 'Keeps the status of meters on its path: inventory, active, removed, then inventory again or retired; one that a file brought is unassigned before';
CREATE TRIGGER guard_meter_status BEFORE UPDATE ON devices.meters FOR EACH ROW WHEN (OLD.meter_status IS DISTINCT FROM NEW.meter_status) EXECUTE FUNCTION devices.guard_meter_status();

CREATE TABLE devices.meter_installations (
    meter_installation_id uuid      PRIMARY KEY DEFAULT base.new_id(),
    utility_id            uuid      NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    meter_id              uuid      NOT NULL REFERENCES devices.meters,
    service_point_id      uuid      NOT NULL REFERENCES customers.service_points,
    installed_period      tstzrange NOT NULL CHECK (NOT isempty(installed_period) AND NOT lower_inf(installed_period)),
    reason                text      NOT NULL DEFAULT 'new' CHECK (reason IN ('new', 'exchange', 'move', 'correction')),
    CONSTRAINT one_place_at_a_time EXCLUDE USING gist (meter_id WITH =, installed_period WITH &&)
);
CREATE INDEX meter_installations_of_point ON devices.meter_installations (service_point_id);
COMMENT ON TABLE devices.meter_installations IS 'Where a meter hung from when to when; at one service point at a time, the database sees to it';
COMMENT ON COLUMN devices.meter_installations.meter_installation_id IS 'Key';
COMMENT ON COLUMN devices.meter_installations.utility_id IS 'The utility';
COMMENT ON COLUMN devices.meter_installations.meter_id IS 'The meter';
COMMENT ON COLUMN devices.meter_installations.service_point_id IS 'The place';
COMMENT ON COLUMN devices.meter_installations.installed_period IS 'From installation to removal, half-open';
COMMENT ON COLUMN devices.meter_installations.reason IS 'new, exchange, move or correction';
SELECT identity.protect('devices.meter_installations', customer => 'service_point_id IN (SELECT a.service_point_id FROM customers.service_accounts a)', classification => 'internal');
SELECT identity.protect('devices.meters', customer => 'meter_id IN (SELECT i.meter_id FROM devices.meter_installations i)', classification => 'internal');

CREATE TABLE devices.meter_steps (
    meter_step_id         uuid        PRIMARY KEY DEFAULT base.new_id(),
    utility_id            uuid        NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    meter_id              uuid        NOT NULL REFERENCES devices.meters,
    step                  text        NOT NULL CHECK (step IN ('registered', 'installed', 'removed', 'restocked', 'retired')),
    stepped_at            timestamptz NOT NULL,
    recorded_at           timestamptz NOT NULL,
    meter_installation_id uuid        REFERENCES devices.meter_installations,
    reason                text        NOT NULL CHECK (length(reason) BETWEEN 1 AND 2000),
    actor                 text        NOT NULL DEFAULT current_setting('app.actor', true),
    CONSTRAINT nothing_is_entered_before_it_was_done CHECK (stepped_at <= recorded_at)
);
CREATE INDEX meter_steps_of_meter ON devices.meter_steps (meter_id, stepped_at);
CREATE INDEX meter_steps_of_installation ON devices.meter_steps (meter_installation_id);
COMMENT ON TABLE devices.meter_steps IS 'The life of each meter: registered, installed, removed, restocked, retired; when, by whom and why';
COMMENT ON COLUMN devices.meter_steps.meter_step_id IS 'Key';
COMMENT ON COLUMN devices.meter_steps.utility_id IS 'The utility';
COMMENT ON COLUMN devices.meter_steps.meter_id IS 'The meter';
COMMENT ON COLUMN devices.meter_steps.step IS 'registered, installed, removed, restocked (back in inventory) or retired';
COMMENT ON COLUMN devices.meter_steps.stepped_at IS 'When it was done in the field';
COMMENT ON COLUMN devices.meter_steps.recorded_at IS 'When it was entered here';
COMMENT ON COLUMN devices.meter_steps.meter_installation_id IS 'Installation that began or ended with it';
COMMENT ON COLUMN devices.meter_steps.reason IS 'Why';
COMMENT ON COLUMN devices.meter_steps.actor IS 'Who entered it';
SELECT identity.protect('devices.meter_steps', staff => 'SI', auditor => true, append_only => true, classification => 'internal');

CREATE TABLE devices.commissionings (
    commissioning_id      uuid        PRIMARY KEY DEFAULT base.new_id(),
    utility_id            uuid        NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    meter_installation_id uuid        NOT NULL REFERENCES devices.meter_installations,
    register              text        NOT NULL,
    commissioned_at       timestamptz NOT NULL,
    outcome               text        NOT NULL CHECK (outcome IN ('agrees', 'differs', 'not_comparable')),
    finding               text        NOT NULL,
    compared_period       tstzrange,
    interval_total        numeric,
    register_total        numeric,
    tolerance             numeric     CHECK (tolerance >= 0),
    unit                  text,
    actor                 text        NOT NULL DEFAULT current_setting('app.actor', true),
    CONSTRAINT what_was_compared_is_kept CHECK (outcome = 'not_comparable' OR num_nulls(compared_period, interval_total, register_total, tolerance, unit) = 0)
);
CREATE INDEX commissionings_of_installation ON devices.commissionings (meter_installation_id, commissioned_at);
COMMENT ON TABLE devices.commissionings IS 'Installed meters put to the test: what their intervals add up to against what their registers moved';
COMMENT ON COLUMN devices.commissionings.commissioning_id IS 'Key';
COMMENT ON COLUMN devices.commissionings.utility_id IS 'The utility';
COMMENT ON COLUMN devices.commissionings.meter_installation_id IS 'The installation that was tested';
COMMENT ON COLUMN devices.commissionings.register IS 'The register whose reads were used';
COMMENT ON COLUMN devices.commissionings.commissioned_at IS 'When it was tested';
COMMENT ON COLUMN devices.commissionings.outcome IS 'agrees, differs or not_comparable (reads or intervals are not there)';
COMMENT ON COLUMN devices.commissionings.finding IS 'What was found, in words';
COMMENT ON COLUMN devices.commissionings.compared_period IS 'From the first read used to the last';
COMMENT ON COLUMN devices.commissionings.interval_total IS 'What the intervals add up to, in unit';
COMMENT ON COLUMN devices.commissionings.register_total IS 'What the register moved, in unit';
COMMENT ON COLUMN devices.commissionings.tolerance IS 'How far they may lie apart, in unit';
COMMENT ON COLUMN devices.commissionings.unit IS 'Unit of the totals';
COMMENT ON COLUMN devices.commissionings.actor IS 'Who tested';
SELECT identity.protect('devices.commissionings', staff => 'SI', auditor => true, append_only => true, classification => 'internal');

-- Everything else that talks ------------------------------------------------------------------------------------------------------------------------------------------
CREATE TABLE devices.firmware_images (
    firmware_image_id uuid   PRIMARY KEY DEFAULT base.new_id(),
    utility_id        uuid   NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    device_type       text   NOT NULL,
    manufacturer      text   NOT NULL,
    firmware_version  text   NOT NULL,
    sha256            bytea  NOT NULL CHECK (length(sha256) = 32),
    signature         bytea,
    size_bytes        bigint NOT NULL CHECK (size_bytes > 0),
    location          text   NOT NULL,
    image_status      text   NOT NULL DEFAULT 'offered' CHECK (image_status IN ('offered', 'approved', 'withdrawn')),
    approved_by       text,
    released_date     date,
    UNIQUE (utility_id, manufacturer, device_type, firmware_version),
    CONSTRAINT approval_has_a_name CHECK (image_status <> 'approved' OR approved_by IS NOT NULL)
);
COMMENT ON TABLE devices.firmware_images IS 'Firmware that devices may run, by the hash to trust it by';
COMMENT ON COLUMN devices.firmware_images.firmware_image_id IS 'Key';
COMMENT ON COLUMN devices.firmware_images.utility_id IS 'The utility';
COMMENT ON COLUMN devices.firmware_images.device_type IS 'Kind of device it is for';
COMMENT ON COLUMN devices.firmware_images.manufacturer IS 'Maker';
COMMENT ON COLUMN devices.firmware_images.firmware_version IS 'Maker''s name of the version';
COMMENT ON COLUMN devices.firmware_images.sha256 IS 'SHA-256 of the image';
COMMENT ON COLUMN devices.firmware_images.signature IS 'Maker''s signature over the image';
COMMENT ON COLUMN devices.firmware_images.size_bytes IS 'Length of the image, bytes';
COMMENT ON COLUMN devices.firmware_images.location IS 'File or address';
COMMENT ON COLUMN devices.firmware_images.image_status IS 'offered, approved or withdrawn';
COMMENT ON COLUMN devices.firmware_images.approved_by IS 'Who approved it';
COMMENT ON COLUMN devices.firmware_images.released_date IS 'Date of the maker''s release';
SELECT identity.protect('devices.firmware_images', auditor => true, classification => 'internal');

CREATE TABLE devices.smart_devices (
    device_id              uuid        PRIMARY KEY DEFAULT base.new_id(),
    utility_id             uuid        NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    device_type            text        NOT NULL CHECK (device_type IN ('smart_meter', 'thermostat', 'water_heater', 'ev_charger', 'pv_inverter', 'battery', 'transformer_monitor', 'line_sensor', 'recloser_control', 'pressure_sensor', 'flow_sensor', 'leak_sensor', 'gateway', 'other')),
    serial_number          text        NOT NULL,
    account_id             uuid        REFERENCES customers.service_accounts,
    asset_id               uuid        REFERENCES network.infrastructure_assets,
    meter_id               uuid        REFERENCES devices.meters,
    device_status          text        NOT NULL DEFAULT 'active' CHECK (device_status IN ('inventory', 'active', 'inactive', 'faulty', 'quarantined', 'retired')),
    manufacturer           text,
    model                  text,
    firmware_version       text,
    configuration          jsonb       NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(configuration) = 'object'),
    credential_fingerprint bytea       CHECK (length(credential_fingerprint) = 32),
    credential_expires_at  timestamptz,
    installed_at           timestamptz NOT NULL,
    removed_at             timestamptz CHECK (removed_at > installed_at),
    last_communication     timestamptz,
    UNIQUE (utility_id, serial_number),
    CONSTRAINT at_home_or_in_the_network CHECK (account_id IS NULL OR asset_id IS NULL)
);
CREATE INDEX smart_devices_of_account ON devices.smart_devices (account_id);
CREATE INDEX smart_devices_of_asset ON devices.smart_devices (asset_id);
CREATE INDEX smart_devices_of_meter ON devices.smart_devices (meter_id);
CREATE INDEX smart_devices_by_status ON devices.smart_devices (utility_id, device_status, last_communication);
COMMENT ON TABLE devices.smart_devices IS 'Things that talk: at home (thermostats, chargers, inverters) and in the network (monitors, sensors, gateways)';
COMMENT ON COLUMN devices.smart_devices.device_id IS 'Key';
COMMENT ON COLUMN devices.smart_devices.utility_id IS 'The utility';
COMMENT ON COLUMN devices.smart_devices.device_type IS 'smart_meter, thermostat, water_heater, ev_charger, pv_inverter, battery, transformer_monitor, line_sensor, recloser_control, pressure_sensor, flow_sensor, leak_sensor, gateway or other';
COMMENT ON COLUMN devices.smart_devices.serial_number IS 'Maker''s number, one in the utility';
COMMENT ON COLUMN devices.smart_devices.account_id IS 'Agreement whose customer has it, for things at home';
COMMENT ON COLUMN devices.smart_devices.asset_id IS 'Equipment it watches, for things in the network';
COMMENT ON COLUMN devices.smart_devices.meter_id IS 'Meter it is, for smart meters';
COMMENT ON COLUMN devices.smart_devices.device_status IS 'inventory, active, inactive, faulty, quarantined (not trusted) or retired';
COMMENT ON COLUMN devices.smart_devices.manufacturer IS 'Maker';
COMMENT ON COLUMN devices.smart_devices.model IS 'Maker''s name of the type';
COMMENT ON COLUMN devices.smart_devices.firmware_version IS 'Version it last said it runs';
COMMENT ON COLUMN devices.smart_devices.configuration IS 'Settings it should have';
COMMENT ON COLUMN devices.smart_devices.credential_fingerprint IS 'SHA-256 of the certificate or key it signs on with';
COMMENT ON COLUMN devices.smart_devices.credential_expires_at IS 'End of that certificate';
COMMENT ON COLUMN devices.smart_devices.installed_at IS 'When it was put in; no reading of it is older';
COMMENT ON COLUMN devices.smart_devices.removed_at IS 'When it was taken out; no reading of it is younger';
COMMENT ON COLUMN devices.smart_devices.last_communication IS 'When it was last heard';
SELECT identity.protect('devices.smart_devices', customer => 'account_id IN (SELECT a.account_id FROM customers.service_accounts a)', classification => 'internal', personal => '{credential_fingerprint}');
-- attaching a month of readings checks its foreign keys as the owner, who must see the devices for that
CREATE POLICY partitions_are_checked ON devices.smart_devices FOR SELECT TO mains_owner USING (true);

CREATE TABLE devices.sensor_readings (
    device_id         uuid        NOT NULL REFERENCES devices.smart_devices,
    utility_id        uuid        NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    reading_timestamp timestamptz NOT NULL,
    reading_type      text        NOT NULL CHECK (length(reading_type) BETWEEN 1 AND 60),
    numeric_value     numeric     NOT NULL,
    unit              text        NOT NULL,
    reading_quality   text        NOT NULL DEFAULT 'good' CHECK (reading_quality IN ('good', 'uncertain', 'bad')),
    received_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT idx_sensor_readings_device_time PRIMARY KEY (device_id, reading_timestamp, reading_type)
) PARTITION BY RANGE (reading_timestamp);
CREATE TABLE devices.sensor_readings_default PARTITION OF devices.sensor_readings DEFAULT;
CREATE INDEX sensor_readings_by_time ON devices.sensor_readings USING brin (reading_timestamp);
COMMENT ON TABLE devices.sensor_readings IS 'What devices measured, one row a device, kind and instant; by month';
COMMENT ON COLUMN devices.sensor_readings.device_id IS 'The device';
COMMENT ON COLUMN devices.sensor_readings.utility_id IS 'The utility';
COMMENT ON COLUMN devices.sensor_readings.reading_timestamp IS 'When it was measured';
COMMENT ON COLUMN devices.sensor_readings.reading_type IS 'What was measured: temperature, vibration, noise, voltage, current, pressure, flow …';
COMMENT ON COLUMN devices.sensor_readings.numeric_value IS 'The value, in unit';
COMMENT ON COLUMN devices.sensor_readings.unit IS 'Unit of the value: °C, mm/s, dB, V, A, kPa, m3/h …';
COMMENT ON COLUMN devices.sensor_readings.reading_quality IS 'good, uncertain or bad, as in OPC UA and SCADA';
COMMENT ON COLUMN devices.sensor_readings.received_at IS 'When it arrived';
SELECT identity.protect('devices.sensor_readings', staff => 'SI', customer => 'device_id IN (SELECT d.device_id FROM devices.smart_devices d)', audited => false, classification => 'internal');

CREATE FUNCTION devices.device_existed() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    wrong record;
BEGIN
    SELECT d.serial_number, r.reading_timestamp INTO wrong FROM new_rows r JOIN devices.smart_devices d ON d.device_id = r.device_id
    WHERE r.reading_timestamp < d.installed_at OR r.reading_timestamp >= d.removed_at LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'device % was not there at %: its readings lie between its installation and its removal', wrong.serial_number, wrong.reading_timestamp USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION devices.device_existed() IS 'Refuses readings of a time at which their device was not there yet or no longer';
CREATE TRIGGER device_existed AFTER INSERT ON devices.sensor_readings REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION devices.device_existed();

CREATE FUNCTION devices.ensure_partitions(from_at timestamptz, to_at timestamptz) RETURNS integer LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
    SELECT base.make_months('devices.sensor_readings', from_at, to_at)
$$;
COMMENT ON FUNCTION devices.ensure_partitions(timestamptz, timestamptz) IS 'Makes the monthly partitions of sensor readings for a stretch of time where they are missing, and moves what waited in the default one; returns how many';
GRANT EXECUTE ON FUNCTION devices.ensure_partitions(timestamptz, timestamptz) TO mains_staff;

CREATE TABLE devices.last_values (
    device_id         uuid        NOT NULL REFERENCES devices.smart_devices,
    utility_id        uuid        NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    reading_type      text        NOT NULL,
    numeric_value     numeric     NOT NULL,
    unit              text        NOT NULL,
    reading_quality   text        NOT NULL CHECK (reading_quality IN ('good', 'uncertain', 'bad')),
    reading_timestamp timestamptz NOT NULL,
    PRIMARY KEY (device_id, reading_type)
);
CREATE INDEX last_values_by_time ON devices.last_values (utility_id, reading_timestamp);
COMMENT ON TABLE devices.last_values IS 'The newest value of each kind that each device sent, so that no dashboard scans readings';
COMMENT ON COLUMN devices.last_values.device_id IS 'The device';
COMMENT ON COLUMN devices.last_values.utility_id IS 'The utility';
COMMENT ON COLUMN devices.last_values.reading_type IS 'What was measured';
COMMENT ON COLUMN devices.last_values.numeric_value IS 'The value, in unit';
COMMENT ON COLUMN devices.last_values.unit IS 'Unit of the value';
COMMENT ON COLUMN devices.last_values.reading_quality IS 'good, uncertain or bad';
COMMENT ON COLUMN devices.last_values.reading_timestamp IS 'When it was measured';
SELECT identity.protect('devices.last_values', customer => 'device_id IN (SELECT d.device_id FROM devices.smart_devices d)', audited => false, classification => 'internal');

CREATE TABLE devices.campaigns (
    campaign_id             uuid        PRIMARY KEY DEFAULT base.new_id(),
    utility_id              uuid        NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    campaign_name           text        NOT NULL,
    firmware_image_id       uuid        NOT NULL REFERENCES devices.firmware_images,
    campaign_status         text        NOT NULL DEFAULT 'draft' CHECK (campaign_status IN ('draft', 'running', 'paused', 'done', 'stopped')),
    wave_size               integer     NOT NULL DEFAULT 100 CHECK (wave_size > 0),
    stop_after_failed_share numeric     NOT NULL DEFAULT 0.02 CHECK (stop_after_failed_share BETWEEN 0 AND 1),
    started_at              timestamptz,
    finished_at             timestamptz CHECK (finished_at >= started_at),
    approved_by             text,
    UNIQUE (utility_id, campaign_name),
    CONSTRAINT nothing_runs_unapproved CHECK (campaign_status = 'draft' OR approved_by IS NOT NULL)
);
CREATE INDEX campaigns_of_firmware ON devices.campaigns (firmware_image_id);
COMMENT ON TABLE devices.campaigns IS 'Rollouts of one firmware to many devices, in waves that stop by themselves when too many fail';
COMMENT ON COLUMN devices.campaigns.campaign_id IS 'Key';
COMMENT ON COLUMN devices.campaigns.utility_id IS 'The utility';
COMMENT ON COLUMN devices.campaigns.campaign_name IS 'Name people use';
COMMENT ON COLUMN devices.campaigns.firmware_image_id IS 'The firmware';
COMMENT ON COLUMN devices.campaigns.campaign_status IS 'draft, running, paused, done or stopped';
COMMENT ON COLUMN devices.campaigns.wave_size IS 'Devices asked at once';
COMMENT ON COLUMN devices.campaigns.stop_after_failed_share IS 'Share of failures at which it stops, 0.02 for 2 %';
COMMENT ON COLUMN devices.campaigns.started_at IS 'When it began';
COMMENT ON COLUMN devices.campaigns.finished_at IS 'When it ended';
COMMENT ON COLUMN devices.campaigns.approved_by IS 'Who approved it';
SELECT identity.protect('devices.campaigns', auditor => true, classification => 'internal');

CREATE TABLE devices.campaign_targets (
    campaign_id    uuid        NOT NULL REFERENCES devices.campaigns,
    utility_id     uuid        NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    device_id      uuid        NOT NULL REFERENCES devices.smart_devices,
    wave           integer     NOT NULL DEFAULT 1 CHECK (wave > 0),
    target_status  text        NOT NULL DEFAULT 'waiting' CHECK (target_status IN ('waiting', 'sent', 'downloaded', 'installed', 'failed', 'rolled_back', 'skipped')),
    attempts       integer     NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    version_before text,
    version_after  text,
    changed_at     timestamptz,
    detail         text,
    PRIMARY KEY (campaign_id, device_id)
);
CREATE INDEX campaign_targets_of_device ON devices.campaign_targets (device_id);
COMMENT ON TABLE devices.campaign_targets IS 'Devices of a rollout and how far each is';
COMMENT ON COLUMN devices.campaign_targets.campaign_id IS 'The rollout';
COMMENT ON COLUMN devices.campaign_targets.utility_id IS 'The utility';
COMMENT ON COLUMN devices.campaign_targets.device_id IS 'The device';
COMMENT ON COLUMN devices.campaign_targets.wave IS 'Wave it belongs to, from 1';
COMMENT ON COLUMN devices.campaign_targets.target_status IS 'waiting, sent, downloaded, installed, failed, rolled_back or skipped';
COMMENT ON COLUMN devices.campaign_targets.attempts IS 'Times it was tried';
COMMENT ON COLUMN devices.campaign_targets.version_before IS 'Firmware before';
COMMENT ON COLUMN devices.campaign_targets.version_after IS 'Firmware the device says it runs now';
COMMENT ON COLUMN devices.campaign_targets.changed_at IS 'When its state last changed';
COMMENT ON COLUMN devices.campaign_targets.detail IS 'What the device said';
SELECT identity.protect('devices.campaign_targets', classification => 'internal');

CREATE TABLE devices.device_cases (
    device_case_id uuid        PRIMARY KEY DEFAULT base.new_id(),
    utility_id     uuid        NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    device_id      uuid        REFERENCES devices.smart_devices,
    meter_id       uuid        REFERENCES devices.meters,
    case_kind      text        NOT NULL CHECK (case_kind IN ('silent', 'tamper', 'clock', 'credential', 'firmware', 'battery', 'quality', 'other')),
    case_status    text        NOT NULL DEFAULT 'open' CHECK (case_status IN ('open', 'visiting', 'resolved', 'dismissed')),
    finding        text        NOT NULL,
    opened_at      timestamptz NOT NULL,
    closed_at      timestamptz CHECK (closed_at >= opened_at),
    closed_by      text,
    outcome        text,
    CONSTRAINT about_something CHECK (device_id IS NOT NULL OR meter_id IS NOT NULL),
    CONSTRAINT a_closed_case_says_when CHECK ((case_status IN ('resolved', 'dismissed')) = (closed_at IS NOT NULL))
);
CREATE INDEX device_cases_of_device ON devices.device_cases (device_id);
CREATE INDEX device_cases_of_meter ON devices.device_cases (meter_id);
CREATE INDEX device_cases_open ON devices.device_cases (utility_id, opened_at) WHERE case_status IN ('open', 'visiting');
COMMENT ON TABLE devices.device_cases IS 'Devices that need looking at: silent, tampered with, wrong clock, refused credential';
COMMENT ON COLUMN devices.device_cases.device_case_id IS 'Key';
COMMENT ON COLUMN devices.device_cases.utility_id IS 'The utility';
COMMENT ON COLUMN devices.device_cases.device_id IS 'The device';
COMMENT ON COLUMN devices.device_cases.meter_id IS 'The meter, where it is one';
COMMENT ON COLUMN devices.device_cases.case_kind IS 'silent, tamper, clock, credential, firmware, battery, quality or other';
COMMENT ON COLUMN devices.device_cases.case_status IS 'open, visiting, resolved or dismissed';
COMMENT ON COLUMN devices.device_cases.finding IS 'What was seen, with the numbers';
COMMENT ON COLUMN devices.device_cases.opened_at IS 'When it was opened';
COMMENT ON COLUMN devices.device_cases.closed_at IS 'When it was closed';
COMMENT ON COLUMN devices.device_cases.closed_by IS 'Who closed it';
COMMENT ON COLUMN devices.device_cases.outcome IS 'What it was';
SELECT identity.protect('devices.device_cases', auditor => true);

CREATE TABLE devices.commands (
    command_id         uuid        PRIMARY KEY DEFAULT base.new_id(),
    utility_id         uuid        NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    device_id          uuid        REFERENCES devices.smart_devices,
    meter_id           uuid        REFERENCES devices.meters,
    command_kind       text        NOT NULL CHECK (command_kind IN ('read', 'connect', 'disconnect', 'set_configuration', 'set_load_limit', 'synchronise_clock', 'ping', 'restart')),
    arguments          jsonb       NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(arguments) = 'object'),
    command_status     text        NOT NULL DEFAULT 'requested' CHECK (command_status IN ('requested', 'approved', 'sent', 'acknowledged', 'done', 'failed', 'expired', 'cancelled')),
    reason             text        NOT NULL CHECK (length(reason) > 0),
    idempotency_key    text        NOT NULL,
    requested_by       text        NOT NULL DEFAULT current_setting('app.actor', true),
    approved_by        text        CHECK (approved_by <> requested_by),
    approved_at        timestamptz,
    second_approval_because text,
    second_approved_by text        CHECK (second_approved_by <> requested_by AND second_approved_by <> approved_by),
    requested_at       timestamptz NOT NULL,
    expires_at         timestamptz NOT NULL CHECK (expires_at > requested_at),
    sent_at            timestamptz,
    attempts           integer     NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    leased_by          text,
    lease_ends_at      timestamptz,
    answered_at        timestamptz,
    result             jsonb,
    confirms_id        uuid        REFERENCES devices.commands,
    finding            text,
    CONSTRAINT an_order_is_carried_out_once UNIQUE (utility_id, idempotency_key),
    CONSTRAINT to_one_thing CHECK ((device_id IS NULL) <> (meter_id IS NULL)),
    CONSTRAINT a_disconnect_is_approved CHECK (command_kind <> 'disconnect' OR command_status IN ('requested', 'expired', 'cancelled') OR approved_by IS NOT NULL),
    CONSTRAINT a_burst_is_approved_twice CHECK (second_approval_because IS NULL OR command_status IN ('requested', 'expired', 'cancelled') OR second_approved_by IS NOT NULL)
);
CREATE INDEX commands_of_device ON devices.commands (device_id);
CREATE INDEX commands_of_meter ON devices.commands (meter_id, requested_at);
CREATE INDEX commands_that_confirm ON devices.commands (confirms_id) WHERE confirms_id IS NOT NULL;
CREATE INDEX commands_waiting ON devices.commands (utility_id, expires_at) WHERE command_status IN ('requested', 'approved', 'sent', 'acknowledged');
CREATE INDEX commands_lately_sent ON devices.commands (utility_id, sent_at) WHERE sent_at IS NOT NULL;
CREATE UNIQUE INDEX one_switching_at_a_time ON devices.commands (meter_id) WHERE command_kind IN ('connect', 'disconnect') AND command_status IN ('requested', 'approved', 'sent', 'acknowledged');
COMMENT ON TABLE devices.commands IS 'Orders to meters and devices (read now, connect, disconnect, set), each with a life of its own';
COMMENT ON COLUMN devices.commands.command_id IS 'Key';
COMMENT ON COLUMN devices.commands.utility_id IS 'The utility';
COMMENT ON COLUMN devices.commands.device_id IS 'The device';
COMMENT ON COLUMN devices.commands.meter_id IS 'The meter, where it is one';
COMMENT ON COLUMN devices.commands.command_kind IS 'read, connect, disconnect, set_configuration, set_load_limit, synchronise_clock, ping or restart';
COMMENT ON COLUMN devices.commands.arguments IS 'What goes with it';
COMMENT ON COLUMN devices.commands.command_status IS 'requested, approved, sent, acknowledged, done, failed, expired or cancelled';
COMMENT ON COLUMN devices.commands.reason IS 'Why it was asked for';
COMMENT ON COLUMN devices.commands.idempotency_key IS 'Key of the asking system; the same order is carried out once';
COMMENT ON COLUMN devices.commands.requested_by IS 'Who asked';
COMMENT ON COLUMN devices.commands.approved_by IS 'Who approved; never the one who asked';
COMMENT ON COLUMN devices.commands.approved_at IS 'When it was approved';
COMMENT ON COLUMN devices.commands.second_approval_because IS 'Why a third person has to approve it too; NULL where none has to';
COMMENT ON COLUMN devices.commands.second_approved_by IS 'Who approved it too; neither of the others';
COMMENT ON COLUMN devices.commands.requested_at IS 'When it was asked for';
COMMENT ON COLUMN devices.commands.expires_at IS 'Not after this instant';
COMMENT ON COLUMN devices.commands.sent_at IS 'When it last went out';
COMMENT ON COLUMN devices.commands.attempts IS 'How often it went out';
COMMENT ON COLUMN devices.commands.leased_by IS 'Worker of the head-end that has it';
COMMENT ON COLUMN devices.commands.lease_ends_at IS 'When another worker may take it, if nothing was heard';
COMMENT ON COLUMN devices.commands.answered_at IS 'When the device answered';
COMMENT ON COLUMN devices.commands.result IS 'What it answered';
COMMENT ON COLUMN devices.commands.confirms_id IS 'Switching that this read or ping is to confirm';
COMMENT ON COLUMN devices.commands.finding IS 'Why it failed or was taken back, or what confirmed it';
SELECT identity.protect('devices.commands', auditor => true);

CREATE FUNCTION devices.guard_command_status() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    IF NOT (CASE OLD.command_status
        WHEN 'requested' THEN NEW.command_status = ANY ('{approved,expired,cancelled}'::text[])
        WHEN 'approved' THEN NEW.command_status = ANY ('{sent,expired,cancelled}'::text[])
        WHEN 'sent' THEN NEW.command_status = ANY ('{acknowledged,done,failed,expired}'::text[])
        WHEN 'acknowledged' THEN NEW.command_status = ANY ('{done,failed}'::text[])
        ELSE false
    END) THEN
        RAISE EXCEPTION 'command % cannot go from % to %', OLD.command_id, OLD.command_status, NEW.command_status USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION devices.guard_command_status() IS 'Keeps commands on their path: requested, approved, sent, acknowledged, done or failed; expired or cancelled before they are carried out';
CREATE TRIGGER guard_command_status BEFORE UPDATE ON devices.commands FOR EACH ROW WHEN (OLD.command_status IS DISTINCT FROM NEW.command_status) EXECUTE FUNCTION devices.guard_command_status();

CREATE TABLE devices.command_limits (
    utility_id           uuid    PRIMARY KEY DEFAULT identity.current_utility() REFERENCES network.utilities,
    commands_per_minute  integer NOT NULL CHECK (commands_per_minute > 0),
    disconnects_per_hour integer NOT NULL CHECK (disconnects_per_hour >= 0)
);
COMMENT ON TABLE devices.command_limits IS 'How many commands a utility sends at most; one without a row has those of the program';
COMMENT ON COLUMN devices.command_limits.utility_id IS 'The utility';
COMMENT ON COLUMN devices.command_limits.commands_per_minute IS 'Commands sent in a minute at most; the rest wait';
COMMENT ON COLUMN devices.command_limits.disconnects_per_hour IS 'Disconnects approved in an hour; each one more needs a second approval';
SELECT identity.protect('devices.command_limits', auditor => true, classification => 'internal');

CREATE TABLE devices.service_states (
    service_state_id uuid      PRIMARY KEY DEFAULT base.new_id(),
    utility_id       uuid      NOT NULL DEFAULT identity.current_utility() REFERENCES network.utilities,
    meter_id         uuid      NOT NULL REFERENCES devices.meters,
    state            text      NOT NULL CHECK (state IN ('connected', 'disconnected')),
    period           tstzrange NOT NULL CHECK (NOT isempty(period) AND NOT lower_inf(period)),
    command_id       uuid      REFERENCES devices.commands,
    CONSTRAINT one_state_at_a_time EXCLUDE USING gist (meter_id WITH =, period WITH &&)
);
CREATE INDEX service_states_of_command ON devices.service_states (command_id);
COMMENT ON TABLE devices.service_states IS 'When the switch of a meter was open (disconnected) or closed, as it was confirmed; a meter without a row was never switched from afar';
COMMENT ON COLUMN devices.service_states.service_state_id IS 'Key';
COMMENT ON COLUMN devices.service_states.utility_id IS 'The utility';
COMMENT ON COLUMN devices.service_states.meter_id IS 'The meter';
COMMENT ON COLUMN devices.service_states.state IS 'connected or disconnected';
COMMENT ON COLUMN devices.service_states.period IS 'From switching to switching, or to the removal of the meter, half-open';
COMMENT ON COLUMN devices.service_states.command_id IS 'Command that brought it about, or that found it';
SELECT identity.protect('devices.service_states', auditor => true, customer => 'meter_id IN (SELECT i.meter_id FROM devices.meter_installations i)', classification => 'confidential');
