"""Files below $FILES, in every framework: /<name>, and /-/open, which counts those that are open."""
