// What each part of the page needs: elements, and reading a response as it comes.

export const $ = (selector, root = document) => root.querySelector(selector);
export const stamp = (id) => $(`#${id}`).content.cloneNode(true);
export const announce = (text) => ($("#announcement").textContent = text);

// An element with a class and a text.
export const make = (tag, className, textContent) => Object.assign(document.createElement(tag), { className, textContent });

export async function get(url, signal) {
  const response = await fetch(url, { signal, cache: "no-store" });
  if (!response.ok) throw new Error(`status ${response.status}`);
  return response;
}

// Yield what arrives, block by block, as the network delivers it. Nothing waits for the end of a response.
export async function* blocks(response) {
  const reader = response.body.getReader();
  for (let read; !(read = await reader.read()).done; ) yield read.value;
}

// Yield the values of NDJSON, one per line.
export async function* values(response) {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const block of blocks(response)) {
    const lines = (rest + decoder.decode(block, { stream: true })).split("\n");
    rest = lines.pop();
    yield* lines.filter(Boolean).map((line) => JSON.parse(line));
  }
}

// The stage of a scene: what it shows, and its state.
export class Stage {
  constructor(scene) {
    this.root = $(`[data-scene="${scene}"] .stage`);
    this.name = $(`[data-scene="${scene}"] h2`).textContent;
  }

  $(selector) {
    return $(selector, this.root);
  }

  on(selector, act) {
    this.$(selector).addEventListener("click", act);
  }

  get state() {
    return this.root.dataset.state;
  }

  become(state) {
    if (this.state === state) return;
    this.root.dataset.state = state;
    this.$(".status").textContent = state;
    if (state !== "streaming" && state !== "connecting") announce(`${this.name}: ${state}`);
  }
}
