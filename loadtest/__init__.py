"""The load client: sends pictures to a running dctnet and reports how it answered.

``loadtest.client`` sends, ``loadtest.slow`` holds connections open as a hostile client would.
``docs/load-testing.md`` says how to read a report.
"""
