"""Load client: sends images to a running dctnet and reports the responses.

``loadtest.client`` sends; ``loadtest.slow_clients`` simulates Slowloris attacks.
``docs/load-testing.md`` explains the report.
"""
