/** The page: the template on one side, what the engine says about it on the other. */

import { render } from "preact";
import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";
import { EXAMPLES } from "./data";
import { Editor } from "./editor";
import { Engine, type Stage, Unanswered } from "./engine";
import { type Shared, checked, link, opened } from "./share";
import type { Answer, Audit, Problem } from "./types";
import { Compare, Expanded, type Lines, Problems, Roles, Settings, type Stack, count } from "./views";

const MOST_BYTES = 1_000_000;
/** Milliseconds without a key before a request to the engine, and before a comparison that is not visible. */
const WAIT = 20;
const COMPARE_WAIT = 400;
const KEPT = "ecs-exec-role-playground";
const LONG_LINK = 8_000;

type Tab = "template" | "role" | "expanded" | "compare" | "settings";
const TABS: { tab: Tab; title: string }[] = [
  { tab: "template", title: "Template" },
  { tab: "role", title: "Role" },
  { tab: "expanded", title: "Expanded" },
  { tab: "compare", title: "Compare" },
  { tab: "settings", title: "Settings" },
];
const WIDE = window.matchMedia("(min-width: 900px)");
const EMBEDDED = new URLSearchParams(location.search).has("embed");

const WELCOME = "Paste a CloudFormation template, or drop a file. Each permission names the lines that need it.";

const STAGES: Record<Stage, string> = {
  python: "Loading Python, once…",
  engine: "Starting the engine…",
  ready: "",
  failed: "",
};

/** The state of a page that was loaded again in the same tab; it never leaves the browser. */
function kept(): Shared | null {
  try {
    const text = sessionStorage.getItem(KEPT);
    return text ? checked(JSON.parse(text)) : null;
  } catch {
    return null;
  }
}

function keep(shared: Shared): void {
  try {
    sessionStorage.setItem(KEPT, JSON.stringify(shared));
  } catch {
    // Without storage, or for a very long template, a reload starts with an empty state.
  }
}

function example(id: string): Shared {
  const found = EXAMPLES.find((each) => each.id === id) ?? EXAMPLES[0];
  return { text: found?.text ?? "", name: found && found.id !== "start" ? `${found.id}.yaml` : "template.yaml", region: "", account: "", parameters: {}, guardrails: {} };
}

interface Start {
  shared: Shared;
  message: string;
}

async function beginning(): Promise<Start> {
  try {
    const shared = await opened(location.hash);
    if (shared) return { shared, message: "Opened from a link. Nothing was sent." };
  } catch {
    return { shared: kept() ?? example("start"), message: "The link is not complete, so its template cannot be read." };
  }
  const asked = /^#example=([\w-]+)$/.exec(location.hash)?.[1];
  if (asked) return { shared: example(asked), message: "" };
  const before = EMBEDDED ? null : kept();
  return { shared: before ?? example("start"), message: before || EMBEDDED ? "" : WELCOME };
}

function useWide(): boolean {
  const [wide, setWide] = useState(WIDE.matches);
  useEffect(() => {
    const changed = () => setWide(WIDE.matches);
    WIDE.addEventListener("change", changed);
    return () => WIDE.removeEventListener("change", changed);
  }, []);
  return wide;
}

type Theme = "auto" | "light" | "dark";

function useTheme(): [Theme, (theme: Theme) => void] {
  const [theme, setTheme] = useState<Theme>(() => {
    try {
      const said = localStorage.getItem("theme");
      return said === "light" || said === "dark" ? said : "auto";
    } catch {
      return "auto";
    }
  });
  useEffect(() => {
    document.documentElement.dataset.theme = theme;
    try {
      localStorage.setItem("theme", theme);
    } catch {
      // The choice is then only kept for this visit.
    }
  }, [theme]);
  return [theme, setTheme];
}

function App({ start }: { start: Start }) {
  const wide = useWide();
  const [theme, setTheme] = useTheme();
  const [stage, setStage] = useState<Stage>("python");
  const [failure, setFailure] = useState("");
  const [tab, setTab] = useState<Tab>(wide ? "role" : "template");
  const [name, setName] = useState(start.shared.name);
  const [stack, setStack] = useState<Stack>(start.shared);
  const [form, setForm] = useState<"yaml" | "json">("yaml");
  const [answer, setAnswer] = useState<Answer | null>(null);
  const [shown, setShown] = useState<Answer | null>(null);
  const [audit, setAudit] = useState<Audit | null>(null);
  const [working, setWorking] = useState(false);
  const [lit, setLit] = useState<number[]>([]);
  const [line, setLine] = useState(0);
  const [message, setMessage] = useState(start.message);
  const [address, setAddress] = useState("");
  const [dragging, setDragging] = useState(false);
  const [text, setText] = useState(start.shared.text);
  const [broken, setBroken] = useState("");

  const place = useRef<HTMLDivElement>(null);
  const editor = useRef<Editor | null>(null);
  const engine = useRef<Engine | null>(null);
  const file = useRef<HTMLInputElement>(null);

  useEffect(() => {
    engine.current = new Engine("worker.js", (next, why) => {
      setStage(next);
      setFailure(why ?? "");
    });
    return undefined;
  }, []);

  useEffect(() => {
    if (!place.current) return undefined;
    const made = new Editor(place.current, text, {
      changed: (now) => {
        setText(now);
        if (location.hash) history.replaceState(null, "", location.pathname + location.search);
      },
      line: setLine,
    });
    editor.current = made;
    return () => made.view.destroy();
  }, []);

  // Every change is sent at once while the engine is fast enough; changes in the meantime are sent as one request.
  const first = useRef(true);
  const comparing = useRef(false);
  comparing.current = tab === "compare";
  useEffect(() => {
    const asked = { text, name, region: stack.region, account: stack.account, parameters: stack.parameters, guardrails: stack.guardrails, form };
    if (!EMBEDDED || text !== start.shared.text) keep(asked);
    let current = true;
    setWorking(true);
    const ask = async () => {
      try {
        const got = JSON.parse((await engine.current?.ask("answer", asked)) ?? "null") as Answer | null;
        if (!current || !got) return;
        setBroken("");
        setAnswer(got);
        if (got.report && !got.problems.length) setShown(got);
        setWorking(false);
        performance.mark("answered");
        // The engine does one thing at a time, so it waits until nobody types.
        if (!comparing.current) await new Promise((go) => window.setTimeout(go, COMPARE_WAIT));
        if (!current) return;
        const judged = JSON.parse((await engine.current?.ask("audit", asked)) ?? "null") as Audit | null;
        if (current) setAudit(judged);
      } catch (error) {
        if (!current) return;
        setWorking(false);
        if (!(error instanceof Unanswered)) setBroken(String(error instanceof Error ? error.message : error));
      }
    };
    const timer = window.setTimeout(ask, first.current ? 0 : WAIT);
    first.current = false;
    return () => {
      current = false;
      window.clearTimeout(timer);
    };
  }, [text, name, stack, form]);

  const valid = answer?.report && !answer.problems.length ? answer : null;
  const visible = valid ?? shown;
  const stale = !valid && shown !== null;
  const needed = useMemo(() => {
    const found = new Set<number>();
    for (const role of valid?.report?.roles ?? []) {
      for (const grant of role.statements) {
        for (const resource of grant.resources) for (const reason of resource.reasons) found.add(reason.line);
      }
    }
    return found;
  }, [valid]);

  useEffect(() => {
    editor.current?.problems(answer?.problems ?? [], answer?.warnings ?? []);
  }, [answer]);
  useEffect(() => {
    editor.current?.mark(needed, lit);
  }, [needed, lit]);

  const go = useCallback(
    (target: number, column?: number) => {
      if (!wide) setTab("template");
      // On a narrow screen the editor becomes visible first.
      requestAnimationFrame(() => editor.current?.go(target, column));
    },
    [wide],
  );
  const lines: Lines = { go, light: setLit, current: needed.has(line) ? line : 0 };

  const open = (shared: Shared, said: string) => {
    setName(shared.name);
    setStack({ region: shared.region, account: shared.account, parameters: shared.parameters, guardrails: shared.guardrails });
    editor.current?.replace(shared.text);
    setText(shared.text);
    setShown(null);
    setAudit(null);
    setMessage(said);
    setAddress("");
    if (location.hash) history.replaceState(null, "", location.pathname + location.search);
  };

  const openFile = async (given: File | undefined) => {
    if (!given) return;
    if (given.size > MOST_BYTES) {
      setMessage(`${given.name} is larger than 1 MB, the most that CloudFormation accepts.`);
      return;
    }
    try {
      const read = new TextDecoder("utf-8", { fatal: true }).decode(await given.arrayBuffer());
      open({ ...stack, parameters: {}, text: read, name: given.name }, `Opened ${given.name}. Nothing was sent.`);
    } catch {
      setMessage(`${given.name} is not text in UTF-8.`);
    }
  };

  useEffect(() => {
    const files = (event: DragEvent) => Boolean(event.dataTransfer?.types.includes("Files"));
    const over = (event: DragEvent) => {
      if (!files(event)) return;
      event.preventDefault();
      setDragging(true);
    };
    const leave = (event: DragEvent) => {
      if (!event.relatedTarget) setDragging(false);
    };
    const drop = (event: DragEvent) => {
      if (!files(event)) return;
      event.preventDefault();
      event.stopPropagation();
      setDragging(false);
      void openFile(event.dataTransfer?.files[0]);
    };
    window.addEventListener("dragover", over, true);
    window.addEventListener("dragleave", leave, true);
    window.addEventListener("drop", drop, true);
    return () => {
      window.removeEventListener("dragover", over, true);
      window.removeEventListener("dragleave", leave, true);
      window.removeEventListener("drop", drop, true);
    };
  });

  useEffect(() => {
    const changed = async () => {
      try {
        const shared = await opened(location.hash);
        if (shared) open(shared, "Opened from a link. Nothing was sent.");
      } catch {
        setMessage("The link is not complete, so its template cannot be read.");
      }
    };
    window.addEventListener("hashchange", changed);
    return () => window.removeEventListener("hashchange", changed);
  });

  const share = async () => {
    const url = await link({ text, name, ...stack });
    if (!EMBEDDED) history.replaceState(null, "", url);
    setAddress(url);
    const long = url.length > LONG_LINK ? ` It has ${url.length.toLocaleString("en")} characters; some programs cut long links.` : "";
    try {
      await navigator.clipboard.writeText(url);
      setMessage(`The link is copied. It contains the template itself, so whoever has the link can read it.${long}`);
    } catch {
      setMessage(`The browser did not allow the copy. The link contains the template itself.${long}`);
    }
  };

  const status = told(stage, answer, working, broken);
  const tabs = TABS.filter((each) => !wide || each.tab !== "template");
  const chosen = wide && tab === "template" ? "role" : tab;
  const findings = audit?.audits.reduce((sum, one) => sum + one.findings.length, 0) ?? 0;
  const guardrails = Object.keys(stack.guardrails).length;
  const problems = answer?.problems.length ?? 0;
  const badge = (each: Tab): { text: string; label: string; bad?: boolean } | null => {
    if (each === "template" && problems) return { text: String(problems), label: count(problems, "mistake"), bad: true };
    if (each === "role" && valid?.report?.roles.length) {
      const all = valid.report.roles.reduce((sum, role) => sum + role.statements.length, 0);
      return { text: String(all), label: count(all, "statement") };
    }
    if (each === "compare" && findings) return { text: String(findings), label: count(findings, "finding") };
    if (each === "settings" && guardrails) return { text: String(guardrails), label: `${count(guardrails, "guardrail")} on` };
    return null;
  };

  return (
    <div class={`page${EMBEDDED ? " embedded" : ""}${dragging ? " dragging" : ""}`}>
      <a class="skip" href="#answer" onClick={(event) => {
        event.preventDefault();
        document.getElementById("answer")?.focus();
      }}>
        Skip to the answer
      </a>
      <header>
        <h1>
          <span class="brand">EcsExecRole</span> <span class="quiet">playground</span>
        </h1>
        <div class="controls">
          <label class="hidden" for="example">
            Example
          </label>
          <select
            id="example"
            value=""
            onChange={(event) => {
              const id = event.currentTarget.value;
              event.currentTarget.value = "";
              open(example(id), "");
              if (id === "hand-written") setTab("compare");
              else if (chosen === "compare") setTab("role");
            }}
          >
            <option value="" disabled hidden>
              Examples
            </option>
            {EXAMPLES.map((each) => (
              <option key={each.id} value={each.id}>
                {each.title}
              </option>
            ))}
          </select>
          <button type="button" onClick={() => file.current?.click()}>
            Open file
          </button>
          <input
            ref={file}
            type="file"
            accept=".yaml,.yml,.json,.template,.txt"
            class="hidden"
            tabIndex={-1}
            aria-label="Template file"
            onChange={(event) => {
              void openFile(event.currentTarget.files?.[0]);
              event.currentTarget.value = "";
            }}
          />
          <button type="button" onClick={share}>
            Share link
          </button>
        </div>
        {!EMBEDDED && (
            <div class="more">
              <label class="hidden" for="theme">
                Colours
              </label>
              <select id="theme" class="theme" value={theme} onChange={(event) => setTheme(event.currentTarget.value as Theme)}>
                <option value="auto">Auto</option>
                <option value="light">Light</option>
                <option value="dark">Dark</option>
              </select>
              <a class="button" href="../">
                Documentation
              </a>
            </div>
        )}
      </header>
      {message && (
        <div class="message" role="status">
          <span>
            {message}{" "}
            {address && (
              <a href={address} target="_blank" rel="noreferrer">
                Open it
              </a>
            )}
          </span>
          <button
            type="button"
            class="line"
            onClick={() => {
              setMessage("");
              setAddress("");
            }}
          >
            Close
          </button>
        </div>
      )}
      <main class={wide ? "wide" : "narrow"}>
        {!wide && <Tabs tabs={tabs} chosen={chosen} onChoose={setTab} badge={badge} />}
        <section class="template" aria-label="Template" hidden={!wide && chosen !== "template"} id="panel-template">
          <div class="head">
            <span class="name">{name}</span>
            <span class={`state ${status.kind}`} role="status" aria-live="polite">
              {status.text}
            </span>
          </div>
          <p id="editor-help" class="hidden">
            Tab leaves the editor. Control and Space completes. F8 goes to the next mistake.
          </p>
          <div class="code" ref={place} />
        </section>
        <section class="answer" hidden={!wide && chosen === "template"}>
          {wide && <Tabs tabs={tabs} chosen={chosen} onChoose={setTab} badge={badge} />}
          <div
            id="answer"
            class={`panel ${chosen}`}
            role="tabpanel"
            aria-labelledby={`tab-${chosen}`}
            aria-busy={working || stage === "python" || stage === "engine"}
            tabIndex={0}
          >
            {chosen === "settings" ? (
              <Settings stack={stack} answer={answer} onChange={setStack} />
            ) : stage === "failed" ? (
              <Failed why={failure} onRetry={() => {
                setStage("python");
                engine.current?.start();
                setStack({ ...stack });
              }} />
            ) : !answer ? (
              <Loading stage={stage} />
            ) : (
              <>
                {broken && (
                  <section class="box error">
                    <h2>The engine stopped</h2>
                    <p>{broken.split("\n").filter(Boolean).at(-1)}</p>
                    <p class="quiet">Please report it with the template, without real names in it.</p>
                  </section>
                )}
                <Problems
                  problems={answer.problems}
                  title={answer.problems.length === 1 ? "The macro refuses this template" : `The macro refuses this template: ${answer.problems.length} mistakes`}
                  lines={lines}
                  kind="error"
                  onParameter={(parameter) => {
                    setTab("settings");
                    requestAnimationFrame(() => document.querySelector<HTMLElement>(`[data-parameter="${parameter}"]`)?.focus());
                  }}
                />
                {Object.keys(answer.settings).length > 0 && (
                  <section class="box error">
                    <h2>A guardrail has no valid value</h2>
                    <p>The role is shown again when it is corrected in Settings.</p>
                  </section>
                )}
                {stale && chosen !== "compare" && <p class="quiet small">Below: the last version that was valid.</p>}
                {chosen === "role" && visible && (
                  <Roles
                    answer={visible}
                    lines={stale ? { ...lines, current: 0 } : lines}
                    stale={stale}
                    onAdd={audit?.migration?.diff.length ? () => setTab("compare") : undefined}
                  />
                )}
                {chosen === "role" && <Problems problems={further(answer)} title="Warnings" lines={lines} kind="warn" />}
                {chosen === "expanded" && visible && (
                  <Expanded text={visible.expanded} name={name} form={form} onForm={setForm} stale={stale} />
                )}
                {chosen === "compare" && !problems && (
                  <Compare
                    audit={audit}
                    waiting={working || audit === null}
                    lines={lines}
                    onExample={() => open(example("hand-written"), "")}
                    onApply={(changed) => {
                      editor.current?.replace(changed);
                      setText(changed);
                      setTab(wide ? "role" : "template");
                      setMessage("The role is replaced. Undo in the editor brings it back.");
                    }}
                  />
                )}
              </>
            )}
          </div>
        </section>
      </main>
      {!EMBEDDED && (
        <footer>
          <p>
            The engine of the macro runs in this page. Nothing that you type leaves your browser.{" "}
            {engine.current && engine.current.milliseconds > 0 && !working && (
              <span class="took">Answered in {Math.round(engine.current.milliseconds)} ms. </span>
            )}
            <a href="licenses.txt">Licences</a>
          </p>
        </footer>
      )}
      {dragging && (
        <div class="drop" aria-hidden="true">
          Drop the template here
        </div>
      )}
    </div>
  );
}

/** The warnings that do not belong to a role. */
function further(answer: Answer): Problem[] {
  const beside = new Set(answer.report?.roles.flatMap((role) => role.warnings.map((warning) => warning.path + warning.text)));
  return answer.warnings.filter((warning) => !beside.has(`${warning.path}${warning.what}; ${warning.fix}`));
}

function told(stage: Stage, answer: Answer | null, working: boolean, broken: string): { text: string; kind: string } {
  if (stage === "failed") return { text: "Not available", kind: "bad" };
  if (!answer) return { text: STAGES[stage] || "Reading…", kind: "busy" };
  if (broken) return { text: "The engine stopped", kind: "bad" };
  if (answer.problems.length) return { text: count(answer.problems.length, "mistake"), kind: "bad" };
  if (working) return { text: "Reading…", kind: "busy" };
  const roles = answer.report?.roles ?? [];
  const statements = roles.reduce((sum, role) => sum + role.statements.length, 0);
  const warnings = further(answer).length + roles.reduce((sum, role) => sum + role.warnings.length, 0);
  if (!roles.length) return { text: "No task definition", kind: "plain" };
  const warned = warnings ? `, ${count(warnings, "warning")}` : "";
  return { text: `${count(roles.length, "role")}, ${count(statements, "statement")}${warned}`, kind: "good" };
}

function Tabs({
  tabs,
  chosen,
  onChoose,
  badge,
}: {
  tabs: { tab: Tab; title: string }[];
  chosen: Tab;
  onChoose: (tab: Tab) => void;
  badge: (tab: Tab) => { text: string; label: string; bad?: boolean } | null;
}) {
  const move = (event: KeyboardEvent) => {
    const at = tabs.findIndex((each) => each.tab === chosen);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const next = tabs[(to + tabs.length) % tabs.length];
    if (!next) return;
    onChoose(next.tab);
    document.getElementById(`tab-${next.tab}`)?.focus();
  };
  return (
    <div class="tabs" role="tablist" aria-label="Views" onKeyDown={move}>
      {tabs.map(({ tab, title }) => {
        const mark = badge(tab);
        return (
          <button
            type="button"
            role="tab"
            key={tab}
            id={`tab-${tab}`}
            aria-selected={tab === chosen}
            aria-controls={tab === "template" ? "panel-template" : "answer"}
            tabIndex={tab === chosen ? 0 : -1}
            onClick={() => onChoose(tab)}
          >
            {title}
            {mark && (
              <>
                <span class={`badge${mark.bad ? " bad" : ""}`} aria-hidden="true">
                  {mark.text}
                </span>
                <span class="hidden">, {mark.label}</span>
              </>
            )}
          </button>
        );
      })}
    </div>
  );
}

function Loading({ stage }: { stage: Stage }) {
  return (
    <div class="loading">
      <p>
        <span class="spinner" aria-hidden="true" /> {STAGES[stage] || "Reading the template…"}
      </p>
      <p class="quiet small">
        The engine is the one that runs in the macro. It is written in Python, so the browser loads Python first, about 12
        MB, and keeps it.
      </p>
      <div class="bones" aria-hidden="true">
        <div />
        <div />
        <div />
      </div>
    </div>
  );
}

function Failed({ why, onRetry }: { why: string; onRetry: () => void }) {
  return (
    <section class="box error">
      <h2>The engine could not be loaded</h2>
      <p>
        The browser must allow WebAssembly and workers. Check the connection, then try again. The same engine is the command{" "}
        <code>ecs-exec-role</code>.
      </p>
      <p class="quiet small">{why}</p>
      <button type="button" onClick={onRetry}>
        Try again
      </button>
    </section>
  );
}

const root = document.getElementById("page");
if (root) void beginning().then((start) => render(<App start={start} />, root));
