// node fetched.mjs <url>: what fetch-event-source hands on, as [event, data, id]. It is made for browsers.

globalThis.window = globalThis
globalThis.document = { hidden: false, addEventListener() {}, removeEventListener() {} }

const { fetchEventSource } = await import("@microsoft/fetch-event-source")
const events = []
await fetchEventSource(process.argv[2], {
  openWhenHidden: true,
  onmessage: ({ event, data, id }) => events.push([event || "message", data, id]),
  onerror: (error) => {
    throw error
  },
})
console.log(JSON.stringify(events))
