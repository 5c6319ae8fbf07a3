// node message.mjs <url>: what Vercel's AI SDK makes of a UI message stream: the last message, and the error if any.

import { DefaultChatTransport, readUIMessageStream } from "ai"

const transport = new DefaultChatTransport({ api: process.argv[2] })
const errors = []
let message
try {
  const stream = await transport.sendMessages({ trigger: "submit-message", chatId: "1", messageId: undefined, messages: [] })
  const messages = readUIMessageStream({ stream, onError: (error) => errors.push(error.message) })
  for await (message of messages);
} catch (error) {
  errors.push(error.message)
}
console.log(JSON.stringify({ parts: message?.parts ?? [], errors }))
