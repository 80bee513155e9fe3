-- name: utilities
-- The utilities that may be seen: a tenant's own.
SELECT utility_id, utility_name, utility_code, utility_type, commodities, currency, timezone, language, service_area::path::text AS service_area, regulator_name, eia_utility_id, contact_address
FROM network.utilities
ORDER BY utility_code;

-- name: service_zones
-- Zones by code, those after one of them.
SELECT zone_id, zone_code, zone_name, zone_type, zone_boundary::path::text AS zone_boundary, peak_load_mw, capacity_mw
FROM network.service_zones
WHERE %(after)s::text IS NULL OR zone_code > %(after)s
ORDER BY zone_code
LIMIT %(limit)s;

-- name: service_zone
-- One zone.
SELECT zone_id, zone_code, zone_name, zone_type, zone_boundary::path::text AS zone_boundary, peak_load_mw, capacity_mw
FROM network.service_zones
WHERE zone_id = %(zone_id)s;
