// The server: where its ports are, whether it is there, and when it is there again.

import { $ } from "./page.js";

export const server = new EventTarget(); // "back": it was away; another one may be there now, on other ports

let ports;
let origins;
let source;
let retry;
let isLost = false;

function locate() {
  ports = fetch("ports", { cache: "no-store" }).then((response) => response.json());
  origins = new Map();
}

// A browser opens six connections to one origin, and this page needs up to sixteen: some streams have a port of their
// own. Where that cannot be reached (through a tunnel, say), the page's own address serves, and the page asks for less.
export function originOf(name) {
  if (!origins.has(name)) origins.set(name, find(name));
  return origins.get(name);
}

export const isShared = async () => (await originOf("answer")) === location.origin;

async function find(name) {
  try {
    const url = new URL(location.origin);
    url.port = (await ports)[name];
    await fetch(new URL("icon.svg", url), { method: "HEAD", signal: AbortSignal.timeout(5000) });
    return url.origin;
  } catch {
    return location.origin;
  }
}

export function watch() {
  locate();
  connect();
}

export function unwatch() {
  clearTimeout(retry);
  source.close();
}

function connect() {
  source = new EventSource("open");
  source.onmessage = ({ data }) => ($("#open").textContent = data);
  source.onopen = () => {
    document.documentElement.dataset.server = "there";
    if (!isLost) return;
    isLost = false;
    locate();
    server.dispatchEvent(new Event("back"));
  };
  source.onerror = () => {
    isLost = true;
    document.documentElement.dataset.server = "away";
    $("#open").textContent = "–";
    if (source.readyState === EventSource.CLOSED) retry = setTimeout(connect, 2000); // what is there is not it
  };
}
