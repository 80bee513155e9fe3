-- name: keep_birth
-- What a node or device said of itself last.
INSERT INTO integrations.sparkplug_births (group_name, node_name, device_name, born_at, aliases)
VALUES (%(group)s, %(node)s, %(device)s, to_timestamp(%(born_ms)s::double precision / 1000), %(aliases)s)
ON CONFLICT (utility_id, group_name, node_name, device_name) DO UPDATE SET born_at = excluded.born_at, aliases = excluded.aliases;

-- name: births
-- What nodes and devices last said of themselves.
SELECT group_name, node_name, device_name, (extract(epoch FROM born_at) * 1000)::bigint, aliases FROM integrations.sparkplug_births;
