/** A template in the fragment of a link. Browsers do not send the fragment to the server. */

import type { Request } from "./types";

export type Shared = Omit<Request, "form">;

const PREFIX = "#t=";
const MOST = 1_000_000;

export async function link(shared: Shared): Promise<string> {
  const raw = new Blob([JSON.stringify(shared)]).stream();
  const packed = await read(raw.pipeThrough(new CompressionStream("deflate-raw")));
  let binary = "";
  for (const byte of packed) binary += String.fromCharCode(byte);
  const text = btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  const url = new URL(location.href);
  url.search = "";
  url.hash = PREFIX + text;
  return url.href;
}

/** The template in a link's fragment; null if it has none. Throws if it cannot be read. */
export async function opened(fragment: string): Promise<Shared | null> {
  if (!fragment.startsWith(PREFIX)) return null;
  const text = fragment.slice(PREFIX.length).replaceAll("-", "+").replaceAll("_", "/");
  const packed = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const raw = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return checked(JSON.parse(new TextDecoder().decode(await read(raw))));
}

export function checked(value: unknown): Shared {
  if (typeof value !== "object" || value === null) throw new Error("no template");
  const given = value as Record<string, unknown>;
  if (typeof given.text !== "string") throw new Error("no template");
  return {
    text: given.text,
    name: typeof given.name === "string" && given.name ? given.name : "template.yaml",
    region: typeof given.region === "string" ? given.region : "",
    account: typeof given.account === "string" ? given.account : "",
    parameters: texts(given.parameters),
    guardrails: texts(given.guardrails),
  };
}

function texts(value: unknown): Record<string, string> {
  const entries = typeof value === "object" && value !== null ? Object.entries(value) : [];
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => typeof entry[1] === "string"));
}

/** All bytes of a stream. A small link can unpack to a very large text, so there is a limit. */
async function read(stream: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let size = 0;
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    size += value.length;
    if (size > MOST) {
      await reader.cancel();
      throw new Error("the template is larger than CloudFormation accepts");
    }
    parts.push(value);
  }
  const all = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
