// A chat of the AI SDK: `useChat` resumes when the page is loaded, and `state` is what a test looks at.

import { useChat } from "@ai-sdk/react"
import { DefaultChatTransport } from "ai"
import { createElement, useEffect } from "react"
import { createRoot } from "react-dom/client"

const id = location.hash.slice(1)
const transport = new DefaultChatTransport({ api: "/api/chat" })

function Chat() {
  const { messages, sendMessage, status, error, stop } = useChat({ id, transport, resume: true })
  const texts = messages.map((message) => [message.role, message.parts.map((part) => part.text ?? "").join("")])
  useEffect(() => {
    window.chat = {
      say: (text) => void sendMessage({ text }),
      stop: () => void stop(),
    }
    window.state = { status, error: error?.message ?? null, messages: texts }
  })
  return createElement("pre", null, JSON.stringify(texts))
}

createRoot(document.body).render(createElement(Chat))
