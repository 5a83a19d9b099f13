// Builds the page into build/playground: `node build.mjs`, or `make playground`, which first installs what this needs.
//
// The engine is packed as it is, and compiled by the Python that will run it, so that a browser need not compile it.

import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { loadPyodide } from "pyodide";

const HERE = dirname(fileURLToPath(import.meta.url));
const ROOT = dirname(HERE);
const OUT = join(ROOT, "build", "playground");
const PYTHON = process.env.PYTHON ?? join(ROOT, ".venv", "bin", "python");

/** Parts of the package that need a terminal, AWS or a linter, and are not for a page. */
const NOT_HERE = ["cli", "lint", "preflight", "deployed", "diagnose", "macro.py"];

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
writeFileSync(join(OUT, "engine.zip"), await engine());
writeFileSync(join(OUT, "licenses.txt"), licenses());

function* files(folder, below = folder) {
  for (const entry of readdirSync(below, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(below, entry.name);
    if (entry.name === "__pycache__") continue;
    if (entry.isDirectory()) yield* files(folder, path);
    else yield relative(folder, path);
  }
}

async function engine() {
  const python = await loadPyodide({ indexURL: `${pyodide}/`, stdout: () => undefined });
  const put = (from, to) => {
    const path = `/engine/${to}`;
    python.FS.mkdirTree(dirname(path));
    python.FS.writeFile(path, readFileSync(from));
  };
  const source = join(ROOT, "src", "ecs_exec_role");
  for (const name of files(source)) {
    if (!NOT_HERE.includes(name.split("/")[0]) && /\.(py|json)$/.test(name)) put(join(source, name), `ecs_exec_role/${name}`);
  }
  for (const name of files(ruamel)) if (name.endsWith(".py")) put(join(ruamel, name), `ruamel/yaml/${name}`);
  put(join(HERE, "answer.py"), "answer.py");
  python.runPython(`
import compileall, importlib, os, pathlib, pkgutil, py_compile, sys, zipfile
sys.path.insert(0, "/engine")
import answer, ecs_exec_role
for name in ecs_exec_role.__all__:
    getattr(ecs_exec_role, name)
# What is packed must be complete: every module of it can be loaded.
for module in pkgutil.walk_packages(ecs_exec_role.__path__, "ecs_exec_role."):
    importlib.import_module(module.name)
assert compileall.compile_dir("/engine", quiet=1, legacy=True, optimize=0, stripdir="/engine",
                              invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
with zipfile.ZipFile("/engine.zip", "w", zipfile.ZIP_DEFLATED) as archive:
    for path in sorted(pathlib.Path("/engine").rglob("*")):
        if path.suffix in (".pyc", ".json") and "__pycache__" not in path.parts:
            # The time is fixed, so that the same sources give the same bytes.
            archive.writestr(zipfile.ZipInfo(str(path.relative_to("/engine")), (2020, 1, 1, 0, 0, 0)), path.read_bytes(),
                             zipfile.ZIP_DEFLATED)
`);
  return python.FS.readFile("/engine.zip");
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
