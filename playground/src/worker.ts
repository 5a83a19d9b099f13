/** The engine: Python, compiled to WebAssembly, in a thread of its own. */

import type { PyodideInterface } from "pyodide";

export type Question = { id: number; call: "answer" | "audit"; text: string };
export type Reply =
  | { stage: "python" | "engine" | "ready" }
  | { id: number; text: string; milliseconds: number }
  | { id: number; error: string }
  | { failed: string };

const say = (reply: Reply) => postMessage(reply);

async function start(): Promise<PyodideInterface> {
  const here = new URL(".", self.location.href).href;
  // The files are asked for at once, not one after the other.
  const archive = fetch(`${here}engine.zip`).then((response) => {
    if (!response.ok) throw new Error(`engine.zip: ${response.status} ${response.statusText}`);
    return response.arrayBuffer();
  });
  archive.catch(() => undefined);
  say({ stage: "python" });
  const { loadPyodide } = (await import(`${here}pyodide/pyodide.mjs`)) as typeof import("pyodide");
  const python = await loadPyodide({ indexURL: `${here}pyodide/`, checkAPIVersion: false });
  say({ stage: "engine" });
  python.unpackArchive(await archive, "zip", { extractDir: "/engine" });
  python.runPython("import sys; sys.path.insert(0, '/engine'); import answer");
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
