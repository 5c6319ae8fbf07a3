// SERVER=<url> vitest run: the conformance tests of the Durable Streams protocol, against a server.

import { runConformanceTests } from "@durable-streams/server-conformance-tests"

runConformanceTests({ baseUrl: process.env.SERVER })
