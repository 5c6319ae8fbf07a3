// The chat's id is in the address, so that a reload and a second tab have the same one.
if (!location.hash) location.hash = crypto.randomUUID();
const base = `/chats/${location.hash.slice(1)}`;
const list = document.getElementById("messages");
const form = document.getElementById("form");
const field = document.getElementById("text");
const stop = document.getElementById("stop");
let running = null; // the answer that is being written: its number, and its run as soon as an event has named it

function show({ number, role, text, status }) {
  let article = document.getElementById(`message-${number}`);
  if (!article) {
    article = document.createElement("article");
    article.id = `message-${number}`;
    article.append(document.createTextNode(""));
    list.append(article);
  }
  article.className = `${role} ${status}`;
  article.firstChild.data = text;
  article.querySelector(".note")?.remove();
  if (status === "stopped") note(article, "stopped");
  if (status === "failed") note(article, "the answer failed");
  return article;
}

function note(article, text) {
  const element = document.createElement("span");
  element.className = "note";
  element.textContent = text;
  article.append(element);
}

// Join an answer: from its start, and after a lost connection behind the last event; EventSource does that by itself.
function follow(message) {
  const article = show({ ...message, text: "" });
  const answer = { number: message.number, run: null };
  const source = new EventSource(`${base}/messages/${message.number}/stream`);
  running = answer;
  const finish = (status, text) => {
    source.close();
    article.className = `assistant ${status}`;
    if (text) note(article, text);
    if (running === answer) running = null;
    stop.disabled = !running;
  };
  source.onmessage = (event) => {
    answer.run = event.lastEventId.slice(0, event.lastEventId.lastIndexOf("."));
    stop.disabled = false;
    article.firstChild.data += event.data;
    article.scrollIntoView({ block: "end" });
  };
  source.addEventListener("stream-end", () => finish("done"));
  source.addEventListener("error", (event) => {
    if (event.data) { // the run's own end; without data the connection was lost, and is made again
      const ended = JSON.parse(event.data).run;
      finish(ended === "cancelled" ? "stopped" : "failed", ended === "cancelled" ? "stopped" : "the answer failed");
    } else if (source.readyState === EventSource.CLOSED) { // 204: it has ended, and is no longer kept
      finish("done");
      load();
    }
  });
}

async function load() {
  const response = await fetch(`${base}/messages`);
  if (!response.ok) {
    list.textContent = "This chat belongs to another browser.";
    form.hidden = true;
    return;
  }
  for (const message of await response.json()) {
    const known = document.getElementById(`message-${message.number}`);
    if (message.status !== "running") show(message);
    else if (!known) follow(message);
  }
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = field.value;
  field.value = "";
  await fetch(`${base}/messages`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ text }),
  });
  await load();
});

stop.addEventListener("click", () => {
  if (!running?.run) return;
  fetch(`${base}/messages/${running.number}/stop`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ run: running.run }),
  });
});

await load();
const news = new EventSource(`${base}/news`); // what was said in another tab
news.addEventListener("said", load);
news.addEventListener("stream-reset", load);
