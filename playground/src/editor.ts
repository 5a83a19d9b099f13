/** The editor of the template, and the view of the expanded one. */

import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, isolateHistory } from "@codemirror/commands";
import { json } from "@codemirror/lang-json";
import { yaml } from "@codemirror/lang-yaml";
import { HighlightStyle, bracketMatching, indentOnInput, indentUnit, syntaxHighlighting } from "@codemirror/language";
import { type Diagnostic, lintGutter, lintKeymap, setDiagnostics } from "@codemirror/lint";
import { highlightSelectionMatches, searchKeymap } from "@codemirror/search";
import { Compartment, EditorState, type Extension, RangeSetBuilder, StateEffect, StateField } from "@codemirror/state";
import {
  Decoration,
  type DecorationSet,
  EditorView,
  GutterMarker,
  drawSelection,
  gutter,
  highlightActiveLine,
  highlightActiveLineGutter,
  keymap,
  lineNumbers,
} from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { source } from "./complete";
import type { Problem } from "./types";

const colours = HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: "var(--code-key)" },
  { tag: [tags.string, tags.special(tags.string)], color: "var(--code-text)" },
  { tag: [tags.typeName, tags.tagName, tags.labelName], color: "var(--code-tag)" },
  { tag: [tags.number, tags.bool, tags.null, tags.keyword, tags.atom], color: "var(--code-value)" },
  { tag: [tags.comment, tags.lineComment], color: "var(--code-comment)", fontStyle: "italic" },
  { tag: [tags.separator, tags.punctuation, tags.meta], color: "var(--quiet)" },
]);

const look: Extension = [syntaxHighlighting(colours), bracketMatching(), lineNumbers(), drawSelection()];

/** Whether a text looks like JSON; the engine decides in the same way. */
export const looksLikeJson = (text: string) => /^\s*[[{]/.test(text);

const setMarks = StateEffect.define<{ needed: Set<number>; lit: Set<number> }>();
const neededLine = Decoration.line({ class: "needed" });
const litLine = Decoration.line({ class: "lit" });

class Needed extends GutterMarker {
  override toDOM(): Node {
    const dot = document.createElement("span");
    dot.className = "need-dot";
    dot.title = "A permission comes from this line";
    return dot;
  }
}
const neededMarker = new Needed();

interface Marks {
  needed: Set<number>;
  lit: Set<number>;
  decorations: DecorationSet;
}

const marks = StateField.define<Marks>({
  create: () => ({ needed: new Set(), lit: new Set(), decorations: Decoration.none }),
  update(value, transaction) {
    let { needed, lit, decorations } = value;
    if (transaction.docChanged) decorations = decorations.map(transaction.changes);
    for (const effect of transaction.effects) {
      if (!effect.is(setMarks)) continue;
      ({ needed, lit } = effect.value);
      const builder = new RangeSetBuilder<Decoration>();
      for (let line = 1; line <= transaction.state.doc.lines; line++) {
        const from = transaction.state.doc.line(line).from;
        if (lit.has(line)) builder.add(from, from, litLine);
        else if (needed.has(line)) builder.add(from, from, neededLine);
      }
      decorations = builder.finish();
    }
    return { needed, lit, decorations };
  },
  provide: (field) => EditorView.decorations.from(field, (value) => value.decorations),
});

const needGutter = gutter({
  class: "need-gutter",
  lineMarker(view, block) {
    let found = false;
    view.state.field(marks).decorations.between(block.from, block.from, () => {
      found = true;
      return false;
    });
    return found ? neededMarker : null;
  },
  lineMarkerChange: (update) => update.startState.field(marks) !== update.state.field(marks),
  initialSpacer: () => neededMarker,
});

/** The offset of a line and a column, both from 1; the engine counts characters, the editor UTF-16 units. */
function offset(state: EditorState, line: number, column: number): number {
  const found = state.doc.line(Math.min(Math.max(line, 1), state.doc.lines));
  const before = [...found.text].slice(0, column - 1).join("");
  return found.from + before.length;
}

export interface Hooks {
  changed: (text: string) => void;
  line: (line: number) => void;
}

export class Editor {
  readonly view: EditorView;
  #language = new Compartment();
  #json: boolean;
  #quiet = false;

  constructor(parent: HTMLElement, text: string, hooks: Hooks) {
    this.#json = looksLikeJson(text);
    let line = 0;
    const watch = EditorView.updateListener.of((update) => {
      if (update.docChanged) {
        const now = update.state.doc.toString();
        this.#setLanguage(now);
        if (!this.#quiet) hooks.changed(now);
      }
      if (update.selectionSet || update.docChanged) {
        const at = update.state.doc.lineAt(update.state.selection.main.head).number;
        if (at !== line) hooks.line((line = at));
      }
    });
    this.view = new EditorView({
      parent,
      state: EditorState.create({
        doc: text,
        extensions: [
          lintGutter(),
          marks,
          look,
          needGutter,
          history(),
          indentOnInput(),
          indentUnit.of("  "),
          closeBrackets(),
          highlightActiveLine(),
          highlightActiveLineGutter(),
          highlightSelectionMatches(),
          autocompletion({ override: [source(() => this.#json)], icons: false }),
          this.#language.of(this.#json ? json() : yaml()),
          keymap.of([
            ...closeBracketsKeymap,
            ...defaultKeymap,
            ...searchKeymap,
            ...historyKeymap,
            ...completionKeymap,
            ...lintKeymap,
          ]),
          EditorView.contentAttributes.of({
            tabindex: "0",
            "aria-label": "CloudFormation template",
            "aria-describedby": "editor-help",
            autocapitalize: "off",
            autocorrect: "off",
            spellcheck: "false",
          }),
          watch,
        ],
      }),
    });
  }

  get text(): string {
    return this.view.state.doc.toString();
  }

  /** Replaces this template with another one, as one change that can be undone. */
  replace(text: string): void {
    this.#quiet = true;
    this.view.dispatch({
      changes: { from: 0, to: this.view.state.doc.length, insert: text },
      selection: { anchor: 0 },
      // Changes within half a second of each other are one change otherwise.
      annotations: isolateHistory.of("full"),
    });
    this.#quiet = false;
    this.view.scrollDOM.scrollTo(0, 0);
  }

  #setLanguage(text: string): void {
    if (looksLikeJson(text) === this.#json) return;
    this.#json = !this.#json;
    const language = this.#json ? json() : yaml();
    queueMicrotask(() => this.view.dispatch({ effects: this.#language.reconfigure(language) }));
  }

  problems(errors: Problem[], warnings: Problem[]): void {
    const { state } = this.view;
    const shown = (problem: Problem, severity: Diagnostic["severity"]): Diagnostic => {
      const from = offset(state, problem.line, problem.column);
      const line = state.doc.lineAt(from);
      const rest = line.text.slice(from - line.from).replace(/\s+#.*$|\s+$/, "");
      const to = Math.max(from + rest.length, Math.min(from + 1, line.to));
      return { from, to, severity, message: `${problem.what}\n${problem.fix}` };
    };
    const found = [
      ...errors.map((problem) => shown(problem, "error")),
      ...warnings.map((problem) => shown(problem, "warning")),
    ].sort((a, b) => a.from - b.from);
    this.view.dispatch(setDiagnostics(state, found));
  }

  mark(needed: Iterable<number>, lit: Iterable<number>): void {
    this.view.dispatch({ effects: setMarks.of({ needed: new Set(needed), lit: new Set(lit) }) });
  }

  /** Shows a line, and puts the cursor there. */
  go(line: number, column = 1): void {
    const at = offset(this.view.state, line, column);
    this.view.dispatch({ selection: { anchor: at }, effects: EditorView.scrollIntoView(at, { y: "center" }) });
    this.view.focus();
  }

  /** Shows a line, without moving the cursor or the focus. */
  show(line: number): void {
    this.view.dispatch({ effects: EditorView.scrollIntoView(offset(this.view.state, line, 1), { y: "center" }) });
  }
}

export class Viewer {
  readonly view: EditorView;

  constructor(parent: HTMLElement, text: string, label: string) {
    this.view = new EditorView({
      parent,
      state: EditorState.create({
        doc: text,
        extensions: [
          look,
          keymap.of([...defaultKeymap, ...searchKeymap]),
          looksLikeJson(text) ? json() : yaml(),
          EditorState.readOnly.of(true),
          EditorView.contentAttributes.of({ tabindex: "0", "aria-label": label, "aria-readonly": "true" }),
        ],
      }),
    });
  }
}
