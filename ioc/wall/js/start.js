// Shows what /health/ready says, every ten seconds; a server that does not answer is shown as that, never as the last good state.

const summary = document.getElementById("summary");
const list = document.getElementById("checks");

function show(text, isGood, checks = {}) {
  summary.textContent = text;
  summary.className = isGood ? "good" : "bad";
  list.replaceChildren(...Object.entries(checks).map(([name, check]) => {
    const item = document.createElement("li");
    const title = document.createElement("b");
    title.textContent = name;
    const state = document.createElement("span");
    state.textContent = check.detail || (check.ok ? "✓" : "✗");
    state.className = check.ok ? "good" : "bad";
    item.append(title, state);
    return item;
  }));
}

async function look() {
  try {
    const answer = await fetch("/health/ready", { cache: "no-store", signal: AbortSignal.timeout(5000) });
    const body = await answer.json();
    show(answer.ok ? "Sẵn sàng · Ready" : "Chưa sẵn sàng · Not ready", answer.ok, body.checks);
  } catch {
    show("Máy chủ không trả lời · The server does not answer", false);
  }
}

await look();
setInterval(look, 10_000);
