// An answer that outlives its page: each tab joins it, from its start, or after the last event that it has.

import { framework, onChoice } from "./choice.js";
import { news } from "./news.js";
import { Stage } from "./page.js";
import { originOf } from "./server.js";

const stage = new Stage("answer");
const view = stage.$(".view");
let source = null;
let run = null;
let mayAsk = true; // a page that finds no answer asks for one, once

async function join() {
  stop();
  const origin = await originOf("answer");
  stop(); // another call may have been faster
  const joined = (source = new EventSource(`${origin}/${framework()}/answer`));
  let isFirst = true;

  function end(state) {
    joined.close();
    become(state);
  }

  joined.onmessage = ({ data, lastEventId }) => {
    if (isFirst) view.textContent = "";
    isFirst = false;
    run = lastEventId.slice(0, lastEventId.lastIndexOf("."));
    mayAsk = false;
    view.append(data);
    become("streaming");
  };
  joined.addEventListener("stream-end", () => end("done"));
  joined.addEventListener("error", ({ data }) => {
    if (data) {
      const { run: status } = JSON.parse(data); // the end of the run itself
      end({ cancelled: "stopped", lost: "lost" }[status] ?? "failed");
    } else if (joined.readyState !== EventSource.CLOSED) {
      become("connecting"); // it reconnects by itself, and goes on after the last event
    } else {
      end(view.textContent ? "gone" : "idle"); // 204: there is none, or the one that was is no longer kept
      if (mayAsk) ask();
    }
  });
}

export function stop() {
  source?.close();
}

async function ask() {
  mayAsk = false;
  become("connecting");
  try {
    const response = await fetch(`${framework()}/answer`, { method: "POST" });
    if (!response.ok) throw new Error(`status ${response.status}`);
    follow((await response.json()).run);
  } catch {
    become("error");
  }
}

function follow(asked) {
  if (asked !== run || stage.state !== "streaming") join();
}

function become(state) {
  stage.$(".stop").disabled = state !== "streaming";
  stage.$(".ask").disabled = state === "streaming" || state === "connecting";
  stage.become(state);
}

export function start() {
  become("connecting");
  join();
}

// The server is there again: it may have the answer, or not.
export function resume() {
  if (!["done", "stopped", "failed", "lost"].includes(stage.state)) join();
}

stage.on(".ask", ask);
stage.on(".stop", () => fetch(`${framework()}/answer/${encodeURIComponent(run)}/stop`, { method: "POST" }));
stage.on(".reload", () => location.reload());
news.addEventListener("asked", ({ data }) => {
  mayAsk = false;
  follow(data);
});
news.addEventListener("open", () => {
  if (["gone", "error"].includes(stage.state)) join(); // it may be the broker that was away
});
onChoice(join);
