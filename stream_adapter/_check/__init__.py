"""`python -m stream_adapter check URL`: does a deployed endpoint really stream?

probe.py      asks, and notes what arrives, and when
cadence.py    from the times: does it stream, and if not, what holds it back
events.py     an event stream, line by line
judgement.py  all of it as findings, each with advice
report.py     for people, and as JSON
"""
