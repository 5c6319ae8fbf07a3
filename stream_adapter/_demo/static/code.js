// The code beside each stream, as the server has read it from its own files.

import { $, make } from "./page.js";

const TOKENS =
  /(?<comment>#.*)|(?<string>"""[^]*?"""|f?"(?:[^"\\]|\\.)*")|(?<decorator>^@[\w.]+)|\b(?<keyword>async|await|break|def|else|except|finally|for|from|if|import|in|raise|return|try|while|with|yield|None|True)\b/gm;

// Yield the spans of a line or more of Python.
function* coloured(text) {
  let end = 0;
  for (const match of text.matchAll(TOKENS)) {
    const [kind] = Object.entries(match.groups).find(([, value]) => value !== undefined);
    yield document.createTextNode(text.slice(end, match.index));
    yield make("span", kind, match[0]);
    end = match.index + match[0].length;
  }
  yield document.createTextNode(text.slice(end));
}

// A line that is too long goes on below, four columns further in than it began.
function line(text, className = "line") {
  const element = make("span", className);
  element.style.setProperty("--indent", `${text.search(/\S|$/) + 4}ch`);
  element.append(...coloured(text), "\n");
  return element;
}

function block({ file, differs, parts }, framework) {
  const figure = make("figure");
  const pre = make("pre");
  if (framework) figure.dataset.framework = framework;
  if (differs) pre.append(line(differs, "line differs"));
  for (const part of parts) {
    if (pre.childElementCount) pre.append(line(""));
    pre.append(...part.split("\n").map((text) => line(text)));
  }
  figure.append(make("figcaption", "", file), pre);
  return figure;
}

export async function showCode() {
  const scenes = await (await fetch("code")).json();
  for (const [scene, frameworks] of Object.entries(scenes)) {
    const views = Object.entries(frameworks).map(([framework, [view]]) => block(view, framework));
    for (const panel of document.querySelectorAll(`[data-scene="${scene}"] .panel`)) {
      $(".import", panel).replaceChildren(...coloured(frameworks[panel.dataset.framework][0].differs));
    }
    const [, source] = Object.values(frameworks)[0];
    $(`[data-scene="${scene}"] .code`).append(...views, block(source));
  }
}

// Light the lines of a scene's code that run now: those that begin with one of these texts.
export function light(scene, ...beginnings) {
  for (const element of document.querySelectorAll(`[data-scene="${scene}"] .line`)) {
    const text = element.textContent.trim();
    element.classList.toggle("lit", beginnings.some((beginning) => text.startsWith(beginning)));
  }
}
