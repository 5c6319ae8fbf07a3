// node resumed.mjs <url>: a client of Vercel's AI SDK that leaves in mid-answer, comes back, and stops the answer.

import { DefaultChatTransport } from "ai"

const url = process.argv[2]
const transport = new DefaultChatTransport({ api: url })
const chat = { chatId: "1", messageId: undefined, trigger: "submit-message" }
const text = "word ".repeat(400)
const messages = [{ id: "m", role: "user", parts: [{ type: "text", text }] }]

// Returns the types of the first parts, and leaves; stopping the answer first, if it is to read to the end.
async function read(stream, count, stop) {
  const types = []
  const reader = stream.getReader()
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return types
    types.push(value.type)
    if (types.length !== count) continue
    if (!stop) {
      await reader.cancel()
      return types
    }
    await stop()
  }
}

const idle = await transport.reconnectToStream({ chatId: "1" })
const abort = new AbortController()
const begun = await read(await transport.sendMessages({ ...chat, messages, abortSignal: abort.signal }), 3)
abort.abort()
const stop = () => fetch(`${url}/1/stop`, { method: "POST" })
const resumed = await read(await transport.reconnectToStream({ chatId: "1" }), 4, stop)
const over = await transport.reconnectToStream({ chatId: "1" })
console.log(JSON.stringify({ idle, begun, resumed: [...resumed.slice(0, 3), resumed.at(-1)], over }))
