-- Databases and roles of the PostgreSQL instance. Run it with psql 14 or newer as a superuser, or, on a managed server, as the
-- administrator who may create roles and databases. Running it again changes nothing but the passwords.
--
--     export SOUNDCHARTS_OWNER_PASSWORD=... SOUNDCHARTS_APP_PASSWORD=... SOUNDCHARTS_READER_PASSWORD=... DAGSTER_PASSWORD=...
--     psql --no-psqlrc -h HOST -U postgres -d postgres -f deploy/postgres/roles.sql
--
-- Other names: add e.g. -v database=charts -v app=charts_app. Passwords come from the environment, because every user of a
-- machine can read command lines.

\set ON_ERROR_STOP on
\set QUIET on

\if :{?database}
\else
  \set database soundcharts
\endif
\if :{?dagster_database}
\else
  \set dagster_database dagster
\endif
\if :{?owner}
\else
  \set owner soundcharts_owner
\endif
\if :{?app}
\else
  \set app soundcharts_app
\endif
\if :{?reader}
\else
  \set reader soundcharts_reader
\endif
\if :{?dagster}
\else
  \set dagster dagster
\endif
\getenv owner_password SOUNDCHARTS_OWNER_PASSWORD
\getenv app_password SOUNDCHARTS_APP_PASSWORD
\getenv reader_password SOUNDCHARTS_READER_PASSWORD
\getenv dagster_password DAGSTER_PASSWORD

SELECT :{?owner_password} AND :{?app_password} AND :{?reader_password} AND :{?dagster_password} AS all_set \gset
\if :all_set
\else
  DO $$ BEGIN RAISE EXCEPTION 'a password is missing: set SOUNDCHARTS_OWNER_PASSWORD, SOUNDCHARTS_APP_PASSWORD, '
    'SOUNDCHARTS_READER_PASSWORD and DAGSTER_PASSWORD in the environment of psql'; END $$;
\endif

-- The server hashes what it stores, but would write the statements themselves to its log where it logs such ones.
SELECT rolsuper AS superuser FROM pg_roles WHERE rolname = current_user \gset
\if :superuser
  SET log_statement = 'none';
  SET log_min_error_statement = 'panic';
  SET log_min_duration_statement = -1;
\endif
SET password_encryption = 'scram-sha-256';

SELECT format('CREATE ROLE %I LOGIN', name)
FROM unnest(ARRAY[:'owner', :'app', :'reader', :'dagster']) AS name
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec

ALTER ROLE :"owner" PASSWORD :'owner_password';
ALTER ROLE :"app" PASSWORD :'app_password';
ALTER ROLE :"reader" PASSWORD :'reader_password';
ALTER ROLE :"dagster" PASSWORD :'dagster_password';

-- A superuser acts for every role anyway; a managed server's administrator has to belong to those whose databases it makes.
\if :superuser
\else
  GRANT :"owner", :"dagster" TO CURRENT_USER;
\endif

SELECT format('CREATE DATABASE %I OWNER %I ENCODING ''UTF8'' TEMPLATE template0', name, role)
FROM (VALUES (:'database', :'owner'), (:'dagster_database', :'dagster')) AS wanted (name, role)
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = name) \gexec

-- Everybody may connect to a new database and fill the disk with temporary tables there. Here only those named below.
REVOKE ALL ON DATABASE :"database", :"dagster_database" FROM PUBLIC;

-- The pipeline connects, and needs TEMPORARY to load rows: they are copied into a temporary table and merged from there.
GRANT CONNECT, TEMPORARY ON DATABASE :"database" TO :"app";
GRANT CONNECT ON DATABASE :"database" TO :"reader";

-- Belt and braces: analysts have no right to write, and a forgotten query or transaction of theirs does not hold up a migration
-- or VACUUM for ever.
ALTER ROLE :"reader" IN DATABASE :"database" SET default_transaction_read_only = on;
ALTER ROLE :"reader" IN DATABASE :"database" SET statement_timeout = '15min';
ALTER ROLE :"reader" IN DATABASE :"database" SET idle_in_transaction_session_timeout = '10min';

-- Dagster's tables keep times without a zone and let the server fill some in, so the server's own zone must not count.
ALTER DATABASE :"dagster_database" SET timezone = 'UTC';

-- The warehouse. Its owner makes and alters tables, in `soundcharts-pipeline migrate` and in a restore, and nowhere else.
\connect :"database"
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO :"owner";
GRANT USAGE ON SCHEMA public TO :"app", :"reader";

-- The pipeline reads and changes rows: DELETE is what replaces a ranking, frees claims and empties archived months. It can
-- neither make, alter, drop nor truncate a table. Sequences number the genres (USAGE) and are part of a backup (SELECT).
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO :"app";
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO :"app";
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" IN SCHEMA public GRANT SELECT ON TABLES TO :"reader";

-- The same for tables that are there already.
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO :"app";
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO :"app";
GRANT SELECT ON ALL TABLES IN SCHEMA public TO :"reader";

-- Dagster makes and migrates its own tables, so its role owns its database. It has no right in the warehouse, nor have the
-- others in here: runs and events never share rights with the data.
\connect :"dagster_database"
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO :"dagster";
