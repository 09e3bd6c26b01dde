"""What a replica is going through: its state, its warm-up, its watchdog, its probes."""
