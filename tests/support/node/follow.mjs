// node follow.mjs <url>: what npm's EventSource does that is left alone until it stops by itself.

import { EventSource } from "eventsource"

import { follow } from "./collect.mjs"

const alive = setInterval(() => {}, 1000) // while it waits to reconnect, an EventSource itself lets Node exit
console.log(JSON.stringify(await follow(EventSource, process.argv[2])))
clearInterval(alive)
