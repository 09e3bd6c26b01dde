"""The load client: sends images to a running dctnet and reports how it answered.

``loadtest.client`` sends; ``loadtest.slow_clients`` holds connections open as an attacker would.
``docs/load-testing.md`` says how to read a report.
"""
