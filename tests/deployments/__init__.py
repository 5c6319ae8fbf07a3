"""The deployment matrix: servers and proxies as they are run, and what becomes of a stream behind them.

    python -m tests.deployments [--only nginx] [--silence 60] [--write]

programs.py    what is started: a command and a configuration, as the page shows them
rows.py        which server is behind which proxy, and with which framework
running.py     a row, started on ports of the system, in a folder of its own
reader.py      a client over HTTP/1.1 and HTTP/2 that tells how a body ended
measure.py     what is asked of each row
record.py      what was measured, by the last run of each row (measured.json)
page.py        the table of docs/reference/deployments.md, and the configurations beside it
"""
