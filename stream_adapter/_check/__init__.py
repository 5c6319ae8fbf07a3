"""`python -m stream_adapter check URL`: does a deployed endpoint really stream?

command.py      arguments in, requests out, a report, and an exit code
client.py       asks: all I/O, and all that knows the HTTP library
probe.py        what arrived, and when
cadence.py      from the times: does it stream, and if not, what holds it back
events.py       an event stream, line by line
decoding.py     content codings as a browser decodes them
judgement.py    all of it as findings, each with advice; of its own rooms: compression.py, ending.py, beside.py
finding.py      one finding, and how what a server sent is shown in it
report.py       for people, and as JSON

The server is not trusted: what it sends is read up to a limit and shown through `finding.shown`.
"""
