// The framework that is chosen: its code is shown, and it serves the scenes. A reload keeps it.

const root = document.documentElement;
const inputs = [...document.querySelectorAll('input[name="framework"]')];

export const framework = () => root.dataset.framework;

export function onChoice(act) {
  for (const input of inputs) input.addEventListener("change", act);
}

function choose(name) {
  root.dataset.framework = sessionStorage.framework = name;
}

for (const input of inputs) {
  input.checked = input.value === (sessionStorage.framework ?? "flask");
  if (input.checked) choose(input.value);
  input.addEventListener("change", () => choose(input.value));
}
