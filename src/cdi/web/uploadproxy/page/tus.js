// A resumable upload by tus 1.0.0: a session is opened once, then chunks go on where it is.

const PATH = "v1beta1/upload-tus";
const TUS = { "Tus-Resumable": "1.0.0", Accept: "application/json" };
const MIB = 1 << 20;
const SMALLEST = 64 << 10;
const LARGEST = 16 * MIB;
const USUAL_LIMIT = MIB; // of what may stand before the proxy
const PATIENCE = 300e3; // milliseconds without a new byte
const LATER = new Set([0, 408, 423, 429, 460, 500, 502, 503, 504]);

// A failure that another try would not mend; the message is for a person.
export class Failed extends Error {}

class Later extends Error {
  constructor(message, after) {
    super(message);
    this.after = after;
  }
}

class Lost extends Error {}

export class Upload {
  // `memory` is {recall, keep, forget}; `token` a function that promises an upload token; `tell`
  // hears {position} and {waits: why}.
  constructor(file, memory, token, tell) {
    Object.assign(this, { file, memory, token, tell });
    this.chunk = 2 * MIB;
    this.limit = LARGEST;
    this.stopped = false;
    this.request = null;
    this.wake = null;
  }

  // Resolves true when the volume has all of it, false when it was paused.
  async run() {
    this.stopped = false;
    this.session = this.memory.recall();
    this.offset = null;
    this.reached = -1;
    this.failures = 0;
    this.heard = Date.now();
    while (!this.stopped) {
      try {
        if (!this.session) await this.open();
        else if (this.offset === null) await this.ask();
        else if (await this.send()) {
          this.memory.forget();
          return true;
        }
      } catch (error) {
        if (this.stopped) return false;
        if (error instanceof Lost) await this.startOver(error);
        else if (error instanceof Later) await this.wait(error.message, error.after);
        else throw error;
      }
    }
    return false;
  }

  pause() {
    this.stopped = true;
    if (this.request) this.request.abort();
    if (this.wake) this.wake();
  }

  async open() {
    const token = await this.token();
    const name = btoa(String.fromCharCode(...new TextEncoder().encode(this.file.name)));
    const answer = await this.ask_for("POST", PATH, {
      Authorization: `Bearer ${token}`,
      "Upload-Length": String(this.file.size),
      "Upload-Metadata": `filename ${name}`,
    });
    if (answer.status !== 201) throw trouble(answer, false);
    this.session = new URL(answer.headers("Location"), answer.url).pathname;
    this.memory.keep(this.session);
    this.at(0);
  }

  async ask() {
    const answer = await this.ask_for("HEAD", this.session, {});
    if (answer.status !== 200 && answer.status !== 204) throw trouble(answer, true);
    this.at(Number(answer.headers("Upload-Offset")));
  }

  // One chunk; an empty one at the end asks how it has ended.
  async send() {
    const offset = this.offset;
    const part = this.file.slice(offset, Math.min(offset + this.chunk, this.file.size));
    const headers = { "Upload-Offset": String(offset), "Content-Type": "application/offset+octet-stream" };
    if (part.size) headers["Upload-Checksum"] = `sha256 ${await digest(part)}`;
    const began = Date.now();
    this.offset = null;
    const answer = await this.ask_for("PATCH", this.session, headers, part, (sent) =>
      this.tell({ position: offset + sent }),
    );
    if (answer.status === 413 && part.size > SMALLEST) {
      this.limit = part.size > USUAL_LIMIT ? USUAL_LIMIT : Math.max(SMALLEST, part.size >> 1);
      this.chunk = this.limit;
      this.offset = offset;
      return false;
    }
    if (answer.status !== 204 && answer.status !== 200) {
      this.chunk = Math.max(SMALLEST, this.chunk >> 1);
      throw trouble(answer, true);
    }
    const wanted = (part.size * 1000) / Math.max(1, Date.now() - began);
    this.chunk = Math.min(this.limit, Math.max(SMALLEST, Math.min(Math.round(wanted), this.chunk * 2)));
    this.at(Number(answer.headers("Upload-Offset") || offset + part.size));
    return this.offset === this.file.size;
  }

  at(offset) {
    this.offset = offset;
    if (offset > this.reached) {
      this.reached = offset;
      this.failures = 0;
      this.heard = Date.now();
    }
    this.tell({ position: offset });
  }

  async startOver(error) {
    this.memory.forget();
    this.session = "";
    this.reached = -1;
    await this.wait(error.message);
  }

  async wait(why, after) {
    if (Date.now() - this.heard > PATIENCE) throw new Failed(`No byte got through for five minutes: ${why}`);
    this.failures += 1;
    this.offset = null;
    this.tell({ waits: why });
    const pause = after === undefined ? Math.min(10, 0.25 * 2 ** Math.min(this.failures, 6)) : Math.min(after, 10);
    await new Promise((resolve) => {
      this.wake = resolve;
      setTimeout(resolve, pause * 1000);
    });
    this.wake = null;
  }

  // XMLHttpRequest, as it tells how much of a body has left.
  ask_for(method, path, headers, body = null, sent = () => {}) {
    return new Promise((resolve) => {
      const request = new XMLHttpRequest();
      this.request = request;
      request.open(method, path);
      for (const [name, value] of Object.entries({ ...TUS, ...headers })) request.setRequestHeader(name, value);
      request.upload.onprogress = (event) => sent(event.loaded);
      request.onloadend = () => {
        this.request = null;
        resolve({
          status: request.status,
          text: request.responseText,
          url: request.responseURL,
          headers: (name) => request.getResponseHeader(name),
        });
      };
      request.send(body);
    });
  }
}

function trouble(answer, hasSession) {
  let said = {};
  try {
    said = JSON.parse(answer.text);
  } catch {
    // a sentence, or nothing
  }
  const reason = answer.headers("Cdi-Reason") || said.reason || "";
  const text = plain(said.message || answer.text || reason || "the connection broke");
  if (hasSession && (answer.status === 404 || answer.status === 410)) return new Lost(text);
  if (reason === "Finished") return new Failed(text);
  if (answer.status === 409 && hasSession) return new Later(text, 0);
  if (answer.status === 409 && reason.includes("Busy")) return new Later(text);
  if (!LATER.has(answer.status)) return new Failed(`${text} (status ${answer.status})`);
  const after = Number(answer.headers("Retry-After"));
  return new Later(text, after || undefined);
}

// The proxy escapes what comes from objects of users; here it is shown as text.
function plain(text) {
  return new DOMParser().parseFromString(text, "text/html").documentElement.textContent.trim();
}

async function digest(part) {
  const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", await part.arrayBuffer()));
  return btoa(String.fromCharCode(...bytes));
}
