// Reads the events of `url` and acknowledges each before the next is sent; returns how it was encoded, and what came.
async function acknowledging(url, acknowledge) {
  const response = await fetch(url)
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
  let text = ""
  for (let seen = 0; ; ) {
    const { done, value } = await reader.read()
    if (done) return [response.headers.get("content-encoding"), text]
    text += value
    for (const come = text.split("\n\n").length - 1; seen < come; seen++) await fetch(acknowledge)
  }
}
