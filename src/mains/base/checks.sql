-- name: roles
-- The roles of mains with the rights that matter.
SELECT rolname, rolsuper, rolbypassrls, rolcanlogin, rolinherit, rolcreaterole, rolcreatedb
FROM pg_roles WHERE rolname = ANY(%(names)s);

-- name: memberships
-- Which roles of mains each of its logins may take on, directly or through others.
SELECT login.rolname, array_agg(taken.rolname::text ORDER BY taken.rolname)
FROM pg_roles login JOIN pg_auth_members m ON m.member = login.oid JOIN pg_roles taken ON taken.oid = m.roleid
WHERE login.rolname IN ('mains_app', 'mains_ingest') GROUP BY login.rolname;

-- name: unguarded_tables
-- Tables of a tenant (those with utility_id) on which row-level security is not forced or has no policy; partitions are reached through their parent only.
SELECT c.oid::regclass::text
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'utility_id' AND NOT a.attisdropped
WHERE n.nspname = ANY(%(schemas)s) AND c.relkind IN ('r', 'p') AND NOT c.relispartition
  AND NOT (c.relrowsecurity AND c.relforcerowsecurity AND EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid))
ORDER BY 1;

-- name: open_partitions
-- Partitions on which somebody other than the owner and the loader has been given rights, past their parent's policies.
SELECT DISTINCT c.oid::regclass::text
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL aclexplode(c.relacl) AS granted
WHERE n.nspname = ANY(%(schemas)s) AND c.relispartition AND c.relkind IN ('r', 'p')
  AND granted.grantee NOT IN (c.relowner, coalesce((SELECT oid FROM pg_roles WHERE rolname = 'mains_ingest'), 0::oid))
ORDER BY 1;

-- name: partition_bounds
-- The bounds of every partition by range.
SELECT parent.oid::regclass::text, pg_get_expr(part.relpartbound, part.oid)
FROM pg_class parent
JOIN pg_namespace n ON n.oid = parent.relnamespace
JOIN pg_partitioned_table p ON p.partrelid = parent.oid AND p.partstrat = 'r'
JOIN pg_inherits i ON i.inhparent = parent.oid
JOIN pg_class part ON part.oid = i.inhrelid
WHERE n.nspname = ANY(%(schemas)s)
ORDER BY 1, 2;
