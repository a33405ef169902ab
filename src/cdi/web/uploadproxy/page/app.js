// The page: what is chosen, what may be pressed, and what is shown of an upload.

import { understood } from "./secrets.js";
import { Upload } from "./tus.js";

const $ = (id) => document.getElementById(id);
const PREFIX = "cdi-upload:";
let access = null; // what was understood of what was pasted; never stored
let upload = null;
let speed = null; // {since, from}: where the rate is counted from

// Uploads that were begun here: found again by file and volume.

function fingerprint(file, target) {
  return PREFIX + [target, file.size, file.lastModified, file.name].join("|");
}

function memoryOf(key) {
  return {
    recall: () => localStorage.getItem(key) || "",
    keep: (session) => localStorage.setItem(key, session),
    forget: () => localStorage.removeItem(key),
  };
}

function unfinished() {
  return Object.keys(localStorage)
    .filter((key) => key.startsWith(PREFIX))
    .map((key) => {
      const [target, size, modified, ...name] = key.slice(PREFIX.length).split("|");
      return { target, size: Number(size), modified: Number(modified), name: name.join("|") };
    });
}

function showUnfinished() {
  const list = unfinished();
  $("unfinished").hidden = list.length === 0;
  $("unfinished-list").replaceChildren(
    ...list.map((each) => {
      const item = document.createElement("li");
      item.textContent = `${each.name} (${bytes(each.size)}) to ${each.target}`;
      return item;
    }),
  );
}

// Choosing.

function option(value, text, disabled = false) {
  const made = document.createElement("option");
  made.value = value;
  made.textContent = text;
  made.disabled = disabled;
  return made;
}

function offer(options, chosen = "") {
  $("volume").replaceChildren(...options);
  $("volume").disabled = false;
  $("volume").value = chosen;
  allow();
}

function allow() {
  const running = upload !== null;
  $("start").disabled = running || !$("volume").value || !$("file").files.length;
  $("pause").disabled = !running;
  for (const id of ["volume", "file", "secret", "kubeconfig", "namespace"]) {
    $(id).disabled = running || (id === "volume" && !$("volume").options[0].value && $("volume").options.length < 2);
  }
}

async function signIn(event) {
  event.preventDefault();
  say("", "");
  try {
    access = understood($("secret").value);
    if (access.namespace) $("namespace").value = access.namespace;
    if (access.kind === "upload") {
      const target = `${access.namespace}/${access.name}`;
      offer([option(target, target)], target);
      say(`The upload token is for volume ${target}.`, "");
      return;
    }
    const volumes = await listed($("namespace").value.trim());
    const rows = volumes.map((each) =>
      option(`${each.namespace}/${each.name}`, `${each.namespace}/${each.name} - ${each.size || "no size"} - ${each.state}`, each.state === "finished"),
    );
    offer([option("", rows.length ? "choose one" : "none takes an upload"), ...rows]);
    say(`${volumes.length} ${volumes.length === 1 ? "volume" : "volumes"} found.`, "");
    $("volume").focus();
  } catch (error) {
    say("", error.message);
  }
}

async function listed(namespace) {
  const answer = await fetch(`page/volumes?namespace=${encodeURIComponent(namespace)}`, {
    headers: { Authorization: `Bearer ${access.token}` },
  });
  const said = await answer.json();
  if (!answer.ok) throw new Error(said.message);
  return said.volumes;
}

async function uploadToken(target) {
  if (!access) throw new Error("The upload cannot go on where it was. Sign in to begin it anew.");
  if (access.kind === "upload") return access.token;
  const [namespace, name] = target.split("/");
  const answer = await fetch("page/tokens", {
    method: "POST",
    headers: { Authorization: `Bearer ${access.token}`, "Content-Type": "application/json" },
    body: JSON.stringify({ namespace, name }),
  });
  const said = await answer.json();
  if (!answer.ok) throw new Error(said.message);
  return said.token;
}

// A file that was begun earlier brings its volume along.
function fileChosen() {
  const file = $("file").files[0];
  if (!file) return allow();
  say(`${file.name}, ${bytes(file.size)}`, "");
  const known = unfinished().find(
    (each) => each.name === file.name && each.size === file.size && each.modified === file.lastModified,
  );
  if (known) {
    offer([option(known.target, known.target)], known.target);
    say(`${file.name} goes on to ${known.target}: press Start.`, "");
  }
  return allow();
}

// Uploading.

async function start() {
  const file = $("file").files[0];
  const target = $("volume").value;
  speed = null;
  upload = new Upload(file, memoryOf(fingerprint(file, target)), () => uploadToken(target), (news) => hear(file, news));
  allow();
  say("Uploading.", "");
  $("pause").focus();
  try {
    const done = await upload.run();
    if (done) show(file, file.size);
    say(done ? `${file.name} is in volume ${target}.` : "Paused. Start goes on.", "");
  } catch (error) {
    say("", error.message);
  } finally {
    upload = null;
    showUnfinished();
    allow();
    $("start").focus();
  }
}

function hear(file, news) {
  if (news.waits) {
    speed = null;
    say(`Waiting: ${news.waits}`, "");
    return;
  }
  if ($("status").textContent.startsWith("Waiting")) say("Uploading.", "");
  show(file, news.position);
}

function show(file, position) {
  const now = performance.now();
  if (!speed || position < speed.from) speed = { since: now, from: position };
  const rate = ((position - speed.from) * 1000) / Math.max(1, now - speed.since);
  const part = file.size ? position / file.size : 1;
  $("progress").value = part;
  const left = rate > 0 && position < file.size ? `, ${duration((file.size - position) / rate)} left` : "";
  $("numbers").textContent = `${bytes(position)} of ${bytes(file.size)}, ${(100 * part).toFixed(1)}%, ${bytes(rate)}/s${left}`;
  document.title = position < file.size ? `${Math.floor(100 * part)}% - Upload` : "Upload to a volume";
}

function say(status, error) {
  $("status").textContent = status;
  $("error").textContent = error;
}

function bytes(count) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (count >= 1024 && unit < units.length - 1) {
    count /= 1024;
    unit += 1;
  }
  return `${unit ? count.toFixed(1) : Math.round(count)} ${units[unit]}`;
}

function duration(seconds) {
  const whole = Math.round(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60)];
  const two = (number) => String(number).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

// What is pressed, dropped and chosen.

$("access").addEventListener("submit", signIn);
$("volume").addEventListener("change", allow);
$("file").addEventListener("change", fileChosen);
$("start").addEventListener("click", start);
$("pause").addEventListener("click", () => upload && upload.pause());
$("kubeconfig").addEventListener("change", async () => {
  const file = $("kubeconfig").files[0];
  if (file) $("secret").value = await file.text();
});
for (const kind of ["dragover", "dragleave", "drop"]) {
  $("drop").addEventListener(kind, (event) => {
    event.preventDefault();
    $("drop").classList.toggle("over", kind === "dragover");
    if (kind === "drop" && !upload && event.dataTransfer.files.length) {
      $("file").files = event.dataTransfer.files;
      fileChosen();
    }
  });
}
window.addEventListener("beforeunload", (event) => {
  if (upload) event.preventDefault();
});
showUnfinished();
allow();
