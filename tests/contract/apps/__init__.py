"""The hosts: one small app each, and all serve the same cases at the same paths.

/{view}/{case}/{way}/{key}    a case, from a "sync" or an "async" view, with a "sync" or an "async" source
/control/{action}/{key}       what a test does while a stream runs, see `cases.control`
"""
