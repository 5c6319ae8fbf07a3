// node agent.mjs <url>: what AG-UI's client makes of a run: the message's text, the errors, and whether it finished.

import { HttpAgent } from "@ag-ui/client"

const agent = new HttpAgent({ url: process.argv[2] })
const errors = []
let text = ""
let finished = false
process.on("unhandledRejection", () => {}) // a fault of the client's: each broken connection is one (ag-ui #2510)
console.warn = console.error = () => {} // it logs the errors that it also reports
try {
  await agent.runAgent({}, {
    onTextMessageContentEvent: ({ event }) => void (text += event.delta),
    onRunErrorEvent: ({ event }) => void errors.push(event.message),
    onRunFailed: ({ error }) => void errors.push(error.message),
    onRunFinishedEvent: () => void (finished = true),
  })
} catch (error) {
  errors.push(error.message)
}
console.log(JSON.stringify({ text, errors, finished }))
