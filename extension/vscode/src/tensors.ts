/** "View Tensor": of a variable, a watch, or what is selected in the editor. */

import * as vscode from "vscode";
import type { Follower } from "./follower";

/** What the menus of Variables and Watch hand over. */
interface MenuItem {
  variable?: { evaluateName?: string; name: string };
  expression?: string;
  name?: string;
}

/** Show the tensor that a menu item is about; without one, the selected expression's. */
export function viewTensor(host: Follower, item: unknown): void {
  const expression = ofMenu(item) ?? ofEditor();
  if (expression === undefined) {
    void vscode.window.showInformationMessage("Select the tensor's name, or an expression, first.");
    return;
  }
  host.openTensor({ kind: "expression", expression });
}

function ofMenu(item: unknown): string | undefined {
  if (typeof item !== "object" || item === null || item instanceof vscode.Uri) return undefined;
  const { variable, expression } = item as MenuItem;
  return expression ?? variable?.evaluateName ?? variable?.name;
}

const EXPRESSION = /[\p{L}_][\p{L}\p{N}_]*(?:\.[\p{L}_][\p{L}\p{N}_]*)*/u;

function ofEditor(): string | undefined {
  const editor = vscode.window.activeTextEditor;
  if (!editor) return undefined;
  const { document, selection } = editor;
  if (!selection.isEmpty) return document.getText(selection).trim();
  const word = document.getWordRangeAtPosition(selection.active, EXPRESSION);
  return word && document.getText(word);
}
