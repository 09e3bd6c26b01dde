"""Replica lifecycle: state machine, warm-up, watchdog and health probes."""
