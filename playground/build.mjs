// Builds the page into build/playground: `node build.mjs`, or `make playground`, which first installs what this needs.
//
// The engine is packed as it is, and compiled by the Python that will run it, so that a browser need not compile it.

import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { deflateRawSync } from "node:zlib";
import { build } from "esbuild";
import { loadPyodide } from "pyodide";

const HERE = dirname(fileURLToPath(import.meta.url));
const ROOT = dirname(HERE);
const OUT = join(ROOT, "build", "playground");
const PYTHON = process.env.PYTHON ?? join(ROOT, ".venv", "bin", "python");

/** Parts of the package that need a terminal, AWS, a linter or LibYAML, and are not for a page. */
const NOT_HERE = [
  "__main__.py", "cli", "compare", "deployed", "diagnose", "lint", "macro.py", "offline/libyaml.py", "preflight",
];

rmSync(OUT, { recursive: true, force: true });
mkdirSync(join(OUT, "pyodide"), { recursive: true });

await build({
  absWorkingDir: HERE,
  entryPoints: { page: "src/app.tsx", worker: "src/worker.ts" },
  outdir: OUT,
  bundle: true,
  format: "esm",
  target: "es2022",
  minify: true,
  legalComments: "none",
  jsx: "automatic",
  jsxImportSource: "preact",
  loader: { ".yaml": "text" },
  logLevel: "warning",
});
await build({
  absWorkingDir: HERE,
  entryPoints: { page: "src/style.css" },
  outdir: OUT,
  minify: true,
  // The style sheet uses light-dark(), which every browser that can run the page has.
  target: "es2022",
  logLevel: "warning",
});
copyFileSync(join(HERE, "index.html"), join(OUT, "index.html"));

const pyodide = join(HERE, "node_modules", "pyodide");
for (const name of ["pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip"]) {
  copyFileSync(join(pyodide, name), join(OUT, "pyodide", name));
}
// The page installs no package, so the list of Pyodide's packages is empty.
const lock = JSON.parse(readFileSync(join(pyodide, "pyodide-lock.json"), "utf8"));
writeFileSync(join(OUT, "pyodide", "pyodide-lock.json"), JSON.stringify({ ...lock, packages: {} }));

const ruamel = execFileSync(PYTHON, ["-c", "import ruamel.yaml; print(ruamel.yaml.__path__[0])"], { encoding: "utf8" }).trim();
await python();
writeFileSync(join(OUT, "licenses.txt"), licenses());

function* files(folder, below = folder) {
  for (const entry of readdirSync(below, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(below, entry.name);
    if (entry.name === "__pycache__") continue;
    if (entry.isDirectory()) yield* files(folder, path);
    else yield relative(folder, path);
  }
}

/** Starts Python without names of this machine in its memory. */
async function started(options = {}) {
  // Python keeps the name of the program that started it.
  process.argv[1] = "playground";
  return loadPyodide({ indexURL: `${join(OUT, "pyodide")}/`, stdout: () => undefined, ...options });
}

/** Loads the engine into Python, and runs these requests, so that all of it is loaded; returns the answers as one text. */
function exercised(python, archive, asked = questions()) {
  python.unpackArchive(archive, "zip", { extractDir: "/engine" });
  python.globals.set("asked", JSON.stringify(asked));
  return python.runPython(`
import sys
sys.path.insert(0, "/engine")
import importlib, json, pkgutil
import answer, ecs_exec_role
# What is packed must be complete: every name and every module of it can be loaded.
for name in ecs_exec_role.__all__:
    getattr(ecs_exec_role, name)
for module in pkgutil.walk_packages(ecs_exec_role.__path__, "ecs_exec_role."):
    importlib.import_module(module.name)
said = json.dumps([getattr(answer, function)(json.dumps(text)) for function in ("answer", "audit") for text in json.loads(asked)])
del asked
said
`);
}

/** A request for each example, and for texts that are not a template. */
function questions() {
  const folders = ["examples", "playground/examples", "tests/checkers/bad"].map((name) => join(ROOT, name));
  const texts = folders.flatMap((folder) =>
    readdirSync(folder)
      .filter((name) => name.endsWith(".yaml"))
      .map((name) => readFileSync(join(folder, name), "utf8")),
  );
  texts.push(readFileSync(join(ROOT, "docs", "hand-written.yaml"), "utf8"));
  texts.push("", "[", "{", "- 1", "a: !Nothing b", '{"Resources": {"A": {"Type": "B"}}}', "Resources: {A: &a {Type: [*a]}}");
  const request = { name: "template.yaml", region: "", account: "", parameters: {}, guardrails: {}, form: "yaml" };
  return [
    ...texts.map((text) => ({ ...request, text })),
    { ...request, text: texts[0], form: "json", region: "eu-central-1", account: "123456789012" },
    { ...request, text: texts[0], guardrails: { PATH: "/ecs/", ACCOUNTS: "self", TAGS: "team=a", PERMISSIONS_BOUNDARY: "wrong!" } },
  ];
}

/** Packs the engine, the part of Python's library that it uses, and the memory of a Python that has loaded both. */
async function python() {
  const full = await started();
  const archive = packed(full);
  writeFileSync(join(OUT, "engine.zip"), archive);
  const fresh = await started();
  const expected = exercised(fresh, archive);
  writeFileSync(join(OUT, "pyodide", "python_stdlib.zip"), library(fresh));

  // Python's start and the first import take seconds in a browser. Its memory after both is loaded in a moment.
  const made = await started({ _makeSnapshot: true });
  // Requests leave traces in the memory, so there are few: a template in YAML, and one with a role to compare.
  exercised(made, archive, questions().filter(({ text }) => text.includes("hand-written.yaml")));
  const memory = made.makeMemorySnapshot();
  writeFileSync(join(OUT, "memory.bin"), deflateRawSync(memory, { level: 9 }));

  // As in a browser, with the memory, and without it if it does not fit.
  const quick = await started({ _loadSnapshot: memory });
  const slow = await started();
  if ([quick, slow].some((each) => exercised(each, archive) !== expected)) {
    throw new Error("the packed engine does not answer as it did before it was packed");
  }
}

function packed(python) {
  const put = (from, to) => {
    const path = `/engine/${to}`;
    python.FS.mkdirTree(dirname(path));
    python.FS.writeFile(path, readFileSync(from));
  };
  const source = join(ROOT, "src", "ecs_exec_role");
  for (const name of files(source)) {
    if (NOT_HERE.some((part) => name === part || name.startsWith(`${part}/`))) continue;
    if (/\.(py|json)$/.test(name)) put(join(source, name), `ecs_exec_role/${name}`);
  }
  for (const name of files(ruamel)) if (name.endsWith(".py")) put(join(ruamel, name), `ruamel/yaml/${name}`);
  put(join(HERE, "answer.py"), "answer.py");
  python.runPython(`
import compileall, pathlib, py_compile, zipfile
assert compileall.compile_dir("/engine", quiet=1, legacy=True, stripdir="/engine",
                              invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
with zipfile.ZipFile("/engine.zip", "w") as archive:
    for path in sorted(pathlib.Path("/engine").rglob("*")):
        if path.suffix in (".pyc", ".json") and "__pycache__" not in path.parts:
            # The time is fixed, so that the same sources give the same bytes.
            info = zipfile.ZipInfo(str(path.relative_to("/engine")), (2020, 1, 1, 0, 0, 0))
            archive.writestr(info, path.read_bytes(), zipfile.ZIP_DEFLATED, 9)
`);
  return python.FS.readFile("/engine.zip");
}

/** The modules of Python's library that were loaded, and those that format exceptions. */
function library(python) {
  python.runPython(`
import sys, zipfile
import encodings.ascii, encodings.cp437, encodings.latin_1, encodings.utf_8_sig, linecache, tokenize, traceback
from pathlib import PurePosixPath
[whole] = [path for path in sys.path if path.endswith(".zip")]
kept = {
    str(PurePosixPath(module.__spec__.origin).relative_to(whole).with_suffix(""))
    for module in list(sys.modules.values())
    if getattr(getattr(module, "__spec__", None), "origin", None) and module.__spec__.origin.startswith(whole + "/")
}
with zipfile.ZipFile(whole) as old, zipfile.ZipFile("/library.zip", "w") as new:
    for name in sorted(old.namelist()):
        if str(PurePosixPath(name).with_suffix("")) in kept:
            info = zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0))
            new.writestr(info, old.read(name), zipfile.ZIP_DEFLATED, 9)
`);
  return python.FS.readFile("/library.zip");
}

/** The licences of what is in the page. */
function licenses() {
  const lockFile = JSON.parse(readFileSync(join(HERE, "package-lock.json"), "utf8"));
  const parts = [
    `EcsExecRole: MIT-0\n\n${readFileSync(join(ROOT, "LICENSE"), "utf8")}`,
    "Pyodide contains CPython (Python Software Foundation License, https://docs.python.org/3/license.html) and is under the " +
      "Mozilla Public License 2.0 (https://www.mozilla.org/MPL/2.0/); its source is at https://github.com/pyodide/pyodide.",
  ];
  for (const [path, entry] of Object.entries(lockFile.packages)) {
    if (!path || entry.dev || entry.optional) continue;
    const folder = join(HERE, path);
    const file = readdirSync(folder).find((name) => /^licen[cs]e/i.test(name));
    const text = file ? readFileSync(join(folder, file), "utf8") : "";
    parts.push(`${path.replace("node_modules/", "")} ${entry.version}: ${entry.license ?? ""}\n\n${text}`);
  }
  const site = dirname(dirname(ruamel));
  const info = readdirSync(site).find((name) => /^ruamel[._]yaml-.*\.dist-info$/.test(name));
  const about = info ? [...files(join(site, info))].find((name) => /licen[cs]e/i.test(name)) : undefined;
  if (!info || !about) throw new Error("the licence of ruamel.yaml was not found");
  parts.push(`ruamel.yaml: MIT\n\n${readFileSync(join(site, info, about), "utf8")}`);
  return `${parts.map((part) => part.trim()).join(`\n\n${"-".repeat(80)}\n\n`)}\n`;
}
