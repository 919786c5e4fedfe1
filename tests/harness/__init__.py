"""Drives the real program from outside: processes, AWS calls, database connections, faults, a row ledger."""
