// What somebody has pasted: a token of Kubernetes, an upload token, or a kubeconfig with a token.

// Returns {kind: "upload", token, namespace, name} or {kind: "cluster", token, namespace}; throws
// an Error with a sentence for a person.
export function understood(text) {
  const trimmed = text.trim();
  if (!trimmed) throw new Error("Paste a token or a kubeconfig first.");
  const claims = claimsOf(trimmed);
  if (claims && claims.operation === "Upload") {
    return { kind: "upload", token: trimmed, namespace: claims.namespace, name: claims.name };
  }
  if (/^[A-Za-z0-9\-._~+/]+=*$/.test(trimmed)) {
    return { kind: "cluster", token: trimmed, namespace: "" };
  }
  return fromKubeconfig(trimmed);
}

function claimsOf(token) {
  const parts = token.split(".");
  if (parts.length !== 3) return null;
  try {
    return JSON.parse(atob(parts[1].replace(/-/g, "+").replace(/_/g, "/")));
  } catch {
    return null;
  }
}

function fromKubeconfig(text) {
  let config;
  try {
    config = text.startsWith("{") ? JSON.parse(text) : parsed(text);
  } catch {
    throw new Error("That is neither a token nor a kubeconfig.");
  }
  const named = (list, name) => (Array.isArray(list) ? list : []).find((each) => each && each.name === name);
  const context = named(config.contexts, config["current-context"]);
  if (!context || !context.context) throw new Error("The kubeconfig names no current context.");
  const user = named(config.users, context.context.user);
  const token = user && user.user && user.user.token;
  if (!token) {
    throw new Error("The user of the kubeconfig has no token; make one with: kubectl create token NAME");
  }
  return { kind: "cluster", token, namespace: context.context.namespace || "" };
}

// As much of YAML as kubeconfigs are written in: mappings, lists and plain or quoted words.
function parsed(text) {
  const lines = text.split(/\r?\n/).filter((line) => line.trim() && !/^\s*#|^---/.test(line));
  let at = 0;
  const indent = (line) => line.length - line.trimStart().length;
  const block = (depth) => (lines[at].trimStart().startsWith("- ") ? list(depth) : mapping(depth));

  function mapping(depth) {
    const found = {};
    while (at < lines.length && indent(lines[at]) === depth && !lines[at].trimStart().startsWith("- ")) {
      const match = /^\s*([^:]+):(?:\s+(.*))?$/.exec(lines[at]);
      if (!match) throw new Error("no mapping");
      at += 1;
      const [, key, rest] = match;
      found[word(key)] = rest !== undefined && rest !== "" ? word(rest) : below(depth);
    }
    return found;
  }

  function below(depth) {
    if (at >= lines.length) return null;
    const next = indent(lines[at]);
    const isList = lines[at].trimStart().startsWith("- ");
    return next > depth || (isList && next === depth) ? block(next) : null;
  }

  function list(depth) {
    const found = [];
    while (at < lines.length && indent(lines[at]) === depth && lines[at].trimStart().startsWith("- ")) {
      lines[at] = lines[at].replace("- ", "  ");
      const inner = indent(lines[at]);
      found.push(/^\s*[^:\s]+:(\s|$)/.test(lines[at]) ? mapping(inner) : word(lines[at++].trim()));
    }
    return found;
  }

  function word(value) {
    const trimmed = value.trim();
    return /^(['"]).*\1$/.test(trimmed) ? trimmed.slice(1, -1) : trimmed;
  }

  return mapping(0);
}
