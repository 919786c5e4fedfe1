//! The SQL functions that Aurora adds to PostgreSQL, as far as they mean something here.
//!
//! They lie in `pg_catalog`, where Aurora's are and where no dump finds them. Owner: the administrator, who is superuser.

/// What every database of a cluster is given. Can be run again at any time.
///
/// `aurora_inject_crash('instance')` kills the postmaster and all its processes at once, its own last: nobody says goodbye
/// to clients, and nothing is written any more. The program that does it runs as the engine's account, which reaches engines
/// of this node and nothing of Quorate's. So what AWS calls the dispatcher, here the mount, is killed by the node's agent, for
/// which a file is left (`agent/crash`). Neither word nor number of the command comes from the caller.
pub(super) const AURORA_FUNCTIONS: &str = r"
    CREATE OR REPLACE FUNCTION pg_catalog.aurora_version() RETURNS text
        LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $body$
        SELECT split_part(current_setting('server_version'), ' ', 1)
    $body$;
    CREATE OR REPLACE FUNCTION pg_catalog.aurora_inject_crash(fault text) RETURNS void
        LANGUAGE plpgsql VOLATILE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
    DECLARE
        postmaster integer;
        others text;
    BEGIN
        IF lower(fault) NOT IN ('instance', 'dispatcher', 'node') THEN
            RAISE EXCEPTION 'unknown crash type: %', fault
                USING ERRCODE = 'invalid_parameter_value',
                      HINT = 'Use instance, dispatcher or node.';
        END IF;
        postmaster := split_part(pg_read_file('postmaster.pid'), chr(10), 1)::integer;
        SELECT string_agg(a.pid::text, ' ') INTO others
          FROM pg_stat_activity a WHERE a.pid <> pg_backend_pid();
        RAISE LOG 'a crash is injected: %', fault;
        IF lower(fault) <> 'instance' THEN
            EXECUTE format('COPY (SELECT %L) TO %L', lower(fault),
                           current_setting('data_directory') || '/quorate.crash');
            -- Until the connection breaks.
            PERFORM pg_sleep(60);
            RAISE EXCEPTION 'no crash came';
        END IF;
        EXECUTE format('COPY (SELECT 1) TO PROGRAM %L',
                       format('kill -9 %s %s %s', postmaster, others, pg_backend_pid()));
    END
    $body$;
    REVOKE ALL ON FUNCTION pg_catalog.aurora_inject_crash(text) FROM PUBLIC;
    GRANT EXECUTE ON FUNCTION pg_catalog.aurora_inject_crash(text) TO rds_superuser;
";
