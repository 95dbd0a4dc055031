/** Which cell a file is that the kernel compiled: its name is the hash of the cell's text. */

import type { Cell } from "@jupyterlab/cells";
import type { NotebookPanel } from "@jupyterlab/notebook";

import type { Source } from "../../shared/src/protocol";

const SEED = 0xc70f6907;
const FACTOR = 0x5bd1e995;

/** ipykernel's murmur2, of the UTF-8 text. */
export function hash(text: string): number {
  const data = new TextEncoder().encode(text);
  const end = data.length & ~3;
  const view = new DataView(data.buffer);
  let h = (SEED ^ data.length) >>> 0;
  for (let at = 0; at < end; at += 4) {
    let k = Math.imul(view.getUint32(at, true), FACTOR);
    k ^= k >>> 24;
    h = Math.imul(h, FACTOR) ^ Math.imul(k, FACTOR);
  }
  for (let at = data.length - 1; at >= end; at--) h ^= (data[at] ?? 0) << (8 * (at - end));
  if (end !== data.length) h = Math.imul(h, FACTOR);
  h ^= h >>> 13;
  h = Math.imul(h, FACTOR);
  return (h ^ (h >>> 15)) >>> 0;
}

/** The hash in the path of a cell's file; none in another path. */
export function hashOf(path: string): number | undefined {
  const found = /ipykernel_\d+[/\\](\d+)\.py$/.exec(path);
  return found ? Number(found[1]) : undefined;
}

/** The cells of one notebook, and what their texts were when they ran. */
export class Cells {
  readonly #ran = new Map<number, string>();

  constructor(readonly panel: NotebookPanel) {}

  /** A cell is being run: steps it makes lead back to it, also when its text has changed since. */
  runs(cell: Cell): void {
    this.#ran.set(hash(cell.model.sharedModel.getSource()), cell.model.id);
  }

  /** The cell that a file is; none for a file of another kind, or a cell that is gone. */
  of(path: string): Cell | undefined {
    const wanted = hashOf(path);
    if (wanted === undefined) return undefined;
    const cells = this.panel.content.widgets;
    const same = cells.filter((cell) => hash(cell.model.sharedModel.getSource()) === wanted);
    const ran = this.#ran.get(wanted);
    return same.find((cell) => cell.model.id === ran) ?? same[0] ?? cells.find((cell) => cell.model.id === ran);
  }

  /** Its place among the code cells, from 1. */
  number(cell: Cell): number {
    return this.code.indexOf(cell) + 1;
  }

  /** The code cells. */
  get code(): Cell[] {
    return this.panel.content.widgets.filter((cell) => cell.model.type === "code");
  }

  /** Go to a line. */
  async show(cell: Cell, source: Source, focus: boolean): Promise<void> {
    const notebook = this.panel.content;
    const index = notebook.widgets.indexOf(cell);
    notebook.activeCellIndex = index;
    await notebook.scrollToItem(index, "smart");
    await cell.ready;
    const editor = cell.editor;
    if (!editor) return;
    const line = Math.min(source.line, editor.lineCount) - 1;
    editor.setCursorPosition({ line, column: 0 });
    editor.setSelection({
      start: { line, column: 0 },
      end: { line, column: editor.getLine(line)?.length ?? 0 },
    });
    editor.revealPosition({ line, column: 0 });
    if (focus) {
      notebook.mode = "edit";
      editor.focus();
    }
  }
}
