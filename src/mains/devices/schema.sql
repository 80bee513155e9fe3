-- What hangs in the field: meters and where they hung when.
CREATE SCHEMA devices;
COMMENT ON SCHEMA devices IS 'Meters, other smart devices, sensors and their readings, firmware campaigns, commands';
GRANT USAGE ON SCHEMA devices TO mains_any;

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
    UNIQUE (utility_id, meter_number)
);
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
