-- The roles of mains, the same for every database of a server. Run by an administrator; running it again changes nothing.
--   mains_owner      owns every schema, table and function; nobody logs in as it
--   mains_any        what all signed-in roles may do
--   mains_staff, mains_customer, mains_regulator, mains_auditor
--                    one transaction takes one of them; row-level security holds for all
--   mains_app        the login of the application: can do nothing until it takes a role
--   mains_ingest     the login of the bulk loader: no roles, INSERT on interval tables only, not held by row-level security
DO $roles$
DECLARE
    wanted record;
BEGIN
    FOR wanted IN
        SELECT * FROM (VALUES
            ('mains_owner',     'NOLOGIN INHERIT'),
            ('mains_any',       'NOLOGIN INHERIT'),
            ('mains_staff',     'NOLOGIN INHERIT'),
            ('mains_customer',  'NOLOGIN INHERIT'),
            ('mains_regulator', 'NOLOGIN INHERIT'),
            ('mains_auditor',   'NOLOGIN INHERIT'),
            ('mains_app',       'LOGIN NOINHERIT'),
            ('mains_ingest',    'LOGIN NOINHERIT BYPASSRLS')
        ) AS roles (name, attributes)
    LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted.name) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I %s', wanted.name, wanted.attributes);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL;  -- somebody else made it at the same moment
            END;
        END IF;
    END LOOP;

    -- Only a superuser may look at or take away these two, and only a superuser could have given them.
    IF EXISTS (SELECT FROM pg_roles
               WHERE rolname IN ('mains_owner', 'mains_any', 'mains_staff', 'mains_customer', 'mains_regulator', 'mains_auditor', 'mains_app')
                 AND (rolsuper OR rolbypassrls)) THEN
        RAISE EXCEPTION 'a role of mains is a superuser or bypasses row-level security'
            USING HINT = 'ALTER ROLE … NOSUPERUSER NOBYPASSRLS for mains_owner, mains_any, mains_staff, mains_customer, mains_regulator, mains_auditor and mains_app';
    END IF;
END
$roles$;

GRANT mains_any TO mains_staff, mains_customer, mains_regulator, mains_auditor;
GRANT mains_staff, mains_customer, mains_regulator, mains_auditor TO mains_app;

-- An administrator that is no superuser must be a member of the owner to build as it.
DO $member$
BEGIN
    IF NOT pg_has_role(current_user, 'mains_owner', 'MEMBER') THEN
        EXECUTE format('GRANT mains_owner TO %I', current_user);
    END IF;
END
$member$;
