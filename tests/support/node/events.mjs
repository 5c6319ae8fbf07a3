// node events.mjs eventsource|eventsource-parser <url> <cases as JSON: [[path, types], …]>: what each client reads.

import { EventSource } from "eventsource"
import { createParser } from "eventsource-parser"

import { brief, collect } from "./collect.mjs"

// Feeds the parser byte by byte, so that every place is a chunk's end somewhere.
async function parse(url) {
  const bytes = new Uint8Array(await (await fetch(url)).arrayBuffer())
  const events = []
  const retries = []
  let id = ""
  const parser = createParser({
    onId: (value) => (id = value),
    onRetry: (value) => retries.push(value),
    onEvent: (event) => events.push([event.event ?? "message", event.data, id]),
  })
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true })
  const step = bytes.length < 10_000 ? 1 : 4099
  for (let start = 0; start < bytes.length; start += step)
    parser.feed(decoder.decode(bytes.subarray(start, start + step), { stream: true }))
  const read = await Promise.all(events.map(async ([type, data, last]) => [type, await brief(data), last]))
  return [...read.filter(([type]) => type !== "over"), ...retries.map((retry) => ["retry", retry])]
}

const [client, url, cases] = process.argv.slice(2)
const read = client === "eventsource" ? (path, types) => collect(EventSource, url + path, types) : (path) => parse(url + path)
const found = []
for (const [path, types] of JSON.parse(cases)) found.push(await read(path, types))
console.log(JSON.stringify(found))
