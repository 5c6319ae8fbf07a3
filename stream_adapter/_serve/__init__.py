"""Where a resolved response meets a protocol: one function each, and nothing that knows a format or a framework."""
