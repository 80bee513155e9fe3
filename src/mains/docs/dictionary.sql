-- name: schemas
-- The domains with their comments.
SELECT nspname, obj_description(oid, 'pg_namespace') FROM pg_namespace WHERE nspname = ANY(%(schemas)s);

-- name: relations
-- Tables and views with their comments and who may read them; partitions are their parent.
SELECT n.nspname, c.relname, c.relkind = 'v' AS is_view, obj_description(c.oid, 'pg_class'),
       (SELECT coalesce(array_agg(substr(r.rolname, 7)::text ORDER BY r.rolname), '{}') FROM pg_roles r
        WHERE r.rolname = ANY(%(roles)s) AND has_table_privilege(r.oid, c.oid, 'SELECT'))
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY(%(schemas)s) AND c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition
ORDER BY n.nspname, c.relname COLLATE "C";

-- name: columns
-- Columns with type, whether they must be given, part in the key, what they refer to, and their comment.
SELECT n.nspname, c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
       EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary AND a.attnum = ANY (i.indkey)) AS is_key,
       (SELECT fn.nspname || '.' || fc.relname FROM pg_constraint k JOIN pg_class fc ON fc.oid = k.confrelid JOIN pg_namespace fn ON fn.oid = fc.relnamespace
        WHERE k.conrelid = c.oid AND k.contype = 'f' AND a.attnum = ANY (k.conkey) ORDER BY cardinality(k.conkey) DESC, fn.nspname || '.' || fc.relname LIMIT 1) AS refers_to,
       col_description(c.oid, a.attnum)
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY(%(schemas)s) AND c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY n.nspname, c.relname COLLATE "C", a.attnum;

-- name: functions
-- Functions that somebody may call, with their arguments and comments; the machinery of triggers is left out.
SELECT n.nspname, p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')', obj_description(p.oid, 'pg_proc')
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname = ANY(%(schemas)s) AND p.prorettype <> 'trigger'::regtype
ORDER BY n.nspname, p.proname COLLATE "C", pg_get_function_identity_arguments(p.oid) COLLATE "C";
