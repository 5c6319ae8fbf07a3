"""Send a resolved response by a protocol: one function per protocol, without knowledge of formats or frameworks."""
