/** The engine: Python, compiled to WebAssembly, in its own thread. */

import type { PyodideInterface } from "pyodide";

export type Question = { id: number; call: "answer" | "audit"; text: string };
export type Reply =
  | { stage: "python" | "engine" | "ready" }
  | { id: number; text: string; milliseconds: number }
  | { id: number; error: string }
  | { failed: string };

const say = (reply: Reply) => postMessage(reply);

/** A file of the page. */
async function file(name: string): Promise<Response> {
  const response = await fetch(new URL(name, self.location.href));
  if (!response.ok) throw new Error(`${name}: ${response.status} ${response.statusText}`);
  return response;
}

/** The memory of a Python that has loaded the engine; null if it is not available, since it only saves time. */
async function memory(): Promise<Uint8Array | null> {
  try {
    const { body } = await file("memory.bin");
    if (!body) return null;
    return new Uint8Array(await new Response(body.pipeThrough(new DecompressionStream("deflate-raw"))).arrayBuffer());
  } catch {
    return null;
  }
}

async function start(): Promise<PyodideInterface> {
  const here = new URL(".", self.location.href).href;
  // The files are requested at the same time, not one after the other.
  const archive = file("engine.zip").then((response) => response.arrayBuffer());
  archive.catch(() => undefined);
  const loaded = memory();
  // Pyodide requests this one late. It then finds it in the browser's cache, or uses this request.
  fetch(`${here}pyodide/pyodide.asm.wasm`).catch(() => undefined);
  say({ stage: "python" });
  const { loadPyodide } = (await import(`${here}pyodide/pyodide.mjs`)) as typeof import("pyodide");
  const options = { indexURL: `${here}pyodide/` };
  const snapshot = await loaded;
  let python: PyodideInterface;
  try {
    python = await loadPyodide(snapshot ? { ...options, _loadSnapshot: snapshot } : options);
  } catch (error) {
    if (!snapshot) throw error;
    python = await loadPyodide(options);
  }
  say({ stage: "engine" });
  python.unpackArchive(await archive, "zip", { extractDir: "/engine" });
  python.runPython("import sys; '/engine' in sys.path or sys.path.insert(0, '/engine'); import answer");
  say({ stage: "ready" });
  return python;
}

const started = start();
started.catch((error: unknown) => say({ failed: String(error) }));

self.onmessage = async (event: MessageEvent<Question>) => {
  const { id, call, text } = event.data;
  try {
    const python = await started;
    const from = performance.now();
    const module = python.pyimport("answer");
    const answer = module[call](text) as string;
    module.destroy();
    say({ id, text: answer, milliseconds: performance.now() - from });
  } catch (error) {
    say({ id, error: String(error) });
  }
};
