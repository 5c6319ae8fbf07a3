"""`python -m stream_adapter check URL`: does a deployed endpoint really stream?

command.py      arguments in, requests out, a report, and an exit code
client.py       sends the requests: all I/O, and the only user of the HTTP library
probe.py        one request: what arrived, and when
timing.py       from the times: does it stream, and if not, how is it held back?
events.py       an event stream, line by line
decoding.py     content codings as a browser decodes them
findings.py     all findings, each with advice; those of compression.py, ending.py and parallel.py are its parts
finding.py      one finding, and how text from the server is shown in it
report.py       the findings as text and as JSON

The server is not trusted: what it sends is read up to a limit and shown through `finding.shown`.
"""
