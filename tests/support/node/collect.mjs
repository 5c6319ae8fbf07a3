// What an EventSource dispatches, in Chromium and in Node alike.

// Returns what comes until the event `over`, as [type, data, lastEventId]; what is long, by its digest.
export async function collect(EventSource, url, types) {
  const events = []
  const source = new EventSource(url)
  await new Promise((resolve, reject) => {
    const note = (event) => {
      if ("data" in event) events.push([event.type, event.data, event.lastEventId])
      else if (event.type === "error") reject(new Error(`${url}: the connection broke after ${events.length} events`))
    }
    for (const type of new Set([...types, "message", "error"])) source.addEventListener(type, note)
    source.addEventListener("over", resolve)
  }).finally(() => source.close())
  return Promise.all(events.map(async ([type, data, id]) => [type, await brief(data), id]))
}

// Returns what an EventSource does that is left alone: the data of its events, and the state that it ends up in.
export function follow(EventSource, url) {
  const events = []
  const source = new EventSource(url)
  return new Promise((resolve) => {
    source.addEventListener("message", (event) => events.push([event.data, event.lastEventId]))
    source.addEventListener("done", (event) => events.push([event.type, event.lastEventId]))
    source.addEventListener("error", (event) => {
      if ("data" in event) events.push(["error", event.lastEventId])
      else if (source.readyState === EventSource.CLOSED) resolve(events)
    })
  })
}

export async function brief(data) {
  if (data.length < 10_000) return data
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(data))
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("")
}
