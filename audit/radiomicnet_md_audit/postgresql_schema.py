# SPDX-License-Identifier: Apache-2.0
"""What a database administrator runs once to make room for a log on PostgreSQL, and what the catalog then says.

``python -m radiomicnet_md_audit.postgresql_schema`` prints the SQL. Rules of this module:

- Schema, tables and functions belong to a role that nobody can log in as. Writers have SELECT and INSERT, readers
  SELECT, everybody else nothing.
- Triggers refuse UPDATE, DELETE and TRUNCATE whoever asks, and an insert that leaves a gap. They are ENABLE ALWAYS:
  a session that calls itself a replica does not pass by. Each function names its schemas, so that no table or operator
  that a caller puts before them is taken for theirs.
- Constraints and triggers are written as PostgreSQL's own catalog functions write them, so that one text serves to
  execute and to compare. Ids compare by code point (``COLLATE "C"``), as in every other part of the log.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from itertools import chain

from radiomicnet_md_audit.schema import SCHEMA_VERSION

SCHEMA = "radiomicnet_log"
OWNER, WRITER, READER = "radiomicnet_log_owner", "radiomicnet_log_writer", "radiomicnet_log_reader"
PATH = f"pg_catalog, {SCHEMA}, pg_temp"  # of a session that works on the log
MARK = "RadiomicNet-MD log, schema "  # begins the schema's comment; the version follows

# name, type, whether it must be given, collation ("" where the type has none)
_COLUMNS = {
    "entry": (
        ("idx", "bigint", True, ""),
        ("envelope", "bytea", True, ""),
        ("record_id", "text", True, "C"),
        ("request", "text", False, "C"),
        ("producer", "text", True, "C"),
        ("counter", "bigint", True, ""),
    ),
    "node": (("level", "bigint", True, ""), ("idx", "bigint", True, ""), ("hash", "bytea", True, "")),
    "checkpoint": (("size", "bigint", True, ""), ("note", "text", True, "C")),
    "event": (("idx", "bigint", True, ""), ("kind", "text", True, "C")),
}
_CONSTRAINTS = {
    "entry": {
        "entry_pkey": "PRIMARY KEY (idx)",
        "entry_record_id_key": "UNIQUE (record_id)",
        "entry_request_key": "UNIQUE (request)",
        "entry_producer_counter_key": "UNIQUE (producer, counter)",
    },
    "node": {"node_pkey": "PRIMARY KEY (level, idx)"},
    "checkpoint": {"checkpoint_pkey": "PRIMARY KEY (size)"},
    "event": {"event_pkey": "PRIMARY KEY (idx)"},
}
_NEXT = {
    "entry": "NEW.idx IS DISTINCT FROM (SELECT coalesce(max(idx) + 1, 0) FROM radiomicnet_log.entry)",
    "node": """NEW.idx IS DISTINCT FROM (
        SELECT coalesce(max(idx) + 1, 0) FROM radiomicnet_log.node WHERE level = NEW.level
    )""",
    "checkpoint": "NEW.size IS DISTINCT FROM (SELECT coalesce(max(size) + 1, 1) FROM radiomicnet_log.checkpoint)",
    "event": "NEW.idx IS DISTINCT FROM (SELECT max(idx) FROM radiomicnet_log.entry)",
}
# The tables of each version: it has those of the versions before it, too.
_STEPS = (("entry", "node", "checkpoint"), ("event",))
# A type is in the payload, which is in the envelope; decisions are not listed.
_FILL = {
    "event": """INSERT INTO radiomicnet_log.event SELECT idx, kind FROM (
    SELECT idx, convert_from(decode(convert_from(envelope, 'UTF8')::json ->> 'payload', 'base64'), 'UTF8')::json
        ->> 'predicateType' AS kind FROM radiomicnet_log.entry
) AS typed WHERE kind <> 'urn:radiomicnet-md:decision:1'""",
}
_OWN_PATH = "pg_catalog, pg_temp"
_REFUSE = """
BEGIN
    RAISE EXCEPTION 'append-only: % on % is refused', TG_OP, TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END
"""


def _in_order(table: str) -> str:
    return f"""
BEGIN
    IF {_NEXT[table]} THEN
        RAISE EXCEPTION 'append-only: out of order or repeated' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
"""


def _functions(*tables: str) -> dict[str, str]:
    return {f"{table}_in_order": _in_order(table) for table in tables}


def _triggers(table: str) -> dict[str, str]:
    """Return the triggers of a table as ``pg_get_triggerdef`` writes them."""
    parts = {
        f"{table}_in_order": (f"BEFORE INSERT ON {SCHEMA}.{table} FOR EACH ROW", f"{table}_in_order"),
        f"{table}_no_change": (f"BEFORE DELETE OR UPDATE ON {SCHEMA}.{table} FOR EACH ROW", "refuse"),
        f"{table}_no_truncate": (f"BEFORE TRUNCATE ON {SCHEMA}.{table} FOR EACH STATEMENT", "refuse"),
    }
    return {
        name: f"CREATE TRIGGER {name} {event} EXECUTE FUNCTION {function}()"
        for name, (event, function) in parts.items()
    }


def script(since: int = 0) -> str:
    """Return the SQL that prepares an empty database for a log, or brings one of version ``since`` to this version.

    The roles must be there (see the how-to).
    """
    return "".join(f"{statement};\n" for statement in ("BEGIN", *_statements(since), "COMMIT"))


def _statements(since: int) -> Iterator[str]:
    if not since:
        yield f"CREATE SCHEMA {SCHEMA} AUTHORIZATION {OWNER}"
    yield f"SET LOCAL ROLE {OWNER}"
    yield f"SET LOCAL search_path = {PATH}"
    yield f"COMMENT ON SCHEMA {SCHEMA} IS '{MARK}{SCHEMA_VERSION}'"
    if not since:
        yield _function("refuse", _REFUSE)
    for table in chain(*_STEPS[since:]):
        yield from _table(table, filled=bool(since))
    yield f"GRANT USAGE ON SCHEMA {SCHEMA} TO {WRITER}, {READER}"
    yield "RESET ROLE"
    # Nobody else may connect, and who may connect has no temporary tables.
    yield (
        "DO $$BEGIN\n"
        "    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());\n"
        f"    EXECUTE format('GRANT CONNECT ON DATABASE %I TO {WRITER}, {READER}', current_database());\n"
        "END$$"
    )


def _function(name: str, body: str) -> str:
    head = f"CREATE FUNCTION {SCHEMA}.{name}() RETURNS trigger LANGUAGE plpgsql SET search_path = {_OWN_PATH}"
    return f"{head} AS $${body}$$"


def _table(table: str, *, filled: bool) -> Iterator[str]:
    lines = [
        f"    {name} {kind}" + (f' COLLATE "{collation}"' if collation else "") + (" NOT NULL" if needed else "")
        for name, kind, needed, collation in _COLUMNS[table]
    ]
    lines += [f"    CONSTRAINT {name} {text}" for name, text in _CONSTRAINTS[table].items()]
    yield f"CREATE TABLE {SCHEMA}.{table} (\n" + ",\n".join(lines) + "\n)"
    if filled:
        yield _FILL[table]
    for name, body in _functions(table).items():
        yield _function(name, body)
    for name, text in _triggers(table).items():
        yield text
        yield f"ALTER TABLE {SCHEMA}.{table} ENABLE ALWAYS TRIGGER {name}"
    yield f"GRANT SELECT, INSERT ON {SCHEMA}.{table} TO {WRITER}"
    yield f"GRANT SELECT ON {SCHEMA}.{table} TO {READER}"


def expected(version: int = SCHEMA_VERSION) -> frozenset[str]:
    """Return one line for each fact that :data:`CATALOG` must give for a version, and no other."""
    lines = [f"schema {OWNER} {MARK}{version}", f"role {OWNER} nologin"]
    tables = tuple(chain(*_STEPS[:version]))
    for table in tables:
        lines.append(f"relation {table} r p {OWNER}")
        lines += [f"column {table} {name} {kind} {needed} {c}".rstrip() for name, kind, needed, c in _COLUMNS[table]]
        for name, text in _CONSTRAINTS[table].items():
            lines += [f"constraint {table} {name} {text}", f"relation {name} i p {OWNER}", f"index {name} valid"]
        lines += [f"trigger {table} A {text}" for text in _triggers(table).values()]
        lines += [f"grant {table} {WRITER} INSERT", f"grant {table} {WRITER} SELECT", f"grant {table} {READER} SELECT"]
    functions = {"refuse": _REFUSE, **_functions(*tables)}
    lines += [
        f"function {name} {OWNER} plpgsql v false search_path={_OWN_PATH} {body}" for name, body in functions.items()
    ]
    return frozenset(lines)


# What the catalog says about the schema, a line a fact. The session's search_path must be ``PATH``.
CATALOG = """
WITH here AS (SELECT oid, nspowner FROM pg_namespace WHERE nspname = 'radiomicnet_log'),
relation AS (SELECT c.* FROM pg_class c JOIN here ON c.relnamespace = here.oid)
SELECT concat_ws(' ', 'schema', pg_get_userbyid(nspowner), obj_description(oid, 'pg_namespace')) FROM here
UNION ALL SELECT concat_ws(' ', 'role', rolname, CASE WHEN rolcanlogin THEN 'login' ELSE 'nologin' END)
    FROM pg_roles JOIN here ON pg_roles.oid = nspowner
UNION ALL SELECT concat_ws(' ', 'relation', relname, relkind, relpersistence, pg_get_userbyid(relowner),
        CASE WHEN relrowsecurity THEN 'rows hidden' END) FROM relation
UNION ALL SELECT concat_ws(' ', 'column', relname, attname, format_type(atttypid, atttypmod),
        CASE WHEN attnotnull THEN 'True' ELSE 'False' END, nullif(collname, 'default'), attacl)
    FROM relation JOIN pg_attribute ON attrelid = relation.oid LEFT JOIN pg_collation ON pg_collation.oid = attcollation
    WHERE relkind <> 'i' AND attnum > 0 AND NOT attisdropped
UNION ALL SELECT concat_ws(' ', 'constraint', relname, conname, pg_get_constraintdef(pg_constraint.oid))
    FROM relation JOIN pg_constraint ON conrelid = relation.oid WHERE contype <> 'n'
UNION ALL SELECT concat_ws(' ', 'index', relname, CASE WHEN indisvalid AND indisready THEN 'valid' ELSE 'invalid' END)
    FROM relation JOIN pg_index ON indexrelid = relation.oid
UNION ALL SELECT concat_ws(' ', 'trigger', relname, tgenabled, pg_get_triggerdef(pg_trigger.oid))
    FROM relation JOIN pg_trigger ON tgrelid = relation.oid
UNION ALL SELECT concat_ws(' ', 'rule', relname, rulename) FROM relation JOIN pg_rewrite ON ev_class = relation.oid
UNION ALL SELECT concat_ws(' ', 'child', relname)
    FROM relation JOIN pg_inherits ON relation.oid IN (inhrelid, inhparent)
UNION ALL SELECT concat_ws(' ', 'grant', relname, coalesce(nullif(grantee, 0)::regrole::text, 'PUBLIC'), privilege_type)
    FROM relation, aclexplode(relacl) WHERE grantee <> relowner
UNION ALL SELECT concat_ws(' ', 'function', proname, pg_get_userbyid(proowner), lanname, provolatile, prosecdef::text,
        array_to_string(proconfig, ' '), prosrc)
    FROM here JOIN pg_proc ON pronamespace = here.oid JOIN pg_language ON pg_language.oid = prolang
"""

# Whether the session's role, or one that it may take, can do more than add and read.
OVERREACH = """
SELECT EXISTS (
    SELECT FROM pg_roles, pg_class
    WHERE pg_has_role(session_user, pg_roles.oid, 'MEMBER') AND relnamespace = 'radiomicnet_log'::regnamespace
        AND relkind <> 'i' AND (
            rolsuper OR rolcreaterole OR pg_roles.oid = relowner
            OR rolname IN ('pg_write_server_files', 'pg_execute_server_program')
            OR has_table_privilege(pg_roles.oid, pg_class.oid, 'UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
            OR has_any_column_privilege(pg_roles.oid, pg_class.oid, 'UPDATE, REFERENCES')
        )
)
"""


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Print the SQL that an administrator runs once.")
    parser.add_argument("--from", dest="since", type=int, default=0, choices=range(SCHEMA_VERSION), metavar="VERSION")
    sys.stdout.write(script(parser.parse_args().since))
