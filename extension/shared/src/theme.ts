/**
 * The views' style. Colours and fonts are `--gd-*` properties, which take what VS Code (`--vscode-*`) or
 * JupyterLab (`--jp-*`) says of the theme; a page that is neither gets a light theme, or sets them.
 */

/** Each property, and where its value comes from: the first of these that the page has. */
const PROPERTIES: Readonly<Record<string, readonly string[]>> = {
  "font": ["--vscode-font-family", "--jp-ui-font-family", "system-ui, sans-serif"],
  "font-size": ["--vscode-font-size", "--jp-ui-font-size1", "13px"],
  "code-font": ["--vscode-editor-font-family", "--jp-code-font-family", "monospace"],
  "foreground": ["--vscode-foreground", "--jp-ui-font-color1", "#1f2328"],
  "muted": ["--vscode-descriptionForeground", "--jp-ui-font-color2", "#59636e"],
  "background": ["--gd-page", "--vscode-editor-background", "--jp-layout-color1", "#ffffff"],
  "raised": ["--vscode-editorWidget-background", "--jp-layout-color2", "#f6f8fa"],
  "border": ["--vscode-contrastBorder", "--vscode-panel-border", "--jp-border-color2", "#d1d9e0"],
  "accent": ["--vscode-focusBorder", "--jp-brand-color1", "#0969da"],
  "link": ["--vscode-textLink-foreground", "--jp-content-link-color", "#0969da"],
  "hover": ["--vscode-list-hoverBackground", "--jp-layout-color2", "#f3f4f6"],
  "chosen": ["--vscode-list-activeSelectionBackground", "--gd-chosen-mix"],
  "chosen-foreground": ["--vscode-list-activeSelectionForeground", "--gd-foreground"],
  "chosen-blurred": ["--vscode-list-inactiveSelectionBackground", "--jp-layout-color3", "#e4e6f1"],
  "input": ["--vscode-input-background", "--jp-input-background", "#ffffff"],
  "input-foreground": ["--vscode-input-foreground", "--jp-ui-font-color0", "#1f2328"],
  "input-border": ["--vscode-input-border", "--vscode-contrastBorder", "--jp-input-border-color", "#d1d9e0"],
  "button": ["--vscode-button-secondaryBackground", "--jp-layout-color2", "#ebecf0"],
  "button-foreground": ["--vscode-button-secondaryForeground", "--jp-ui-font-color1", "#1f2328"],
  "toolbar-hover": ["--vscode-toolbar-hoverBackground", "--jp-layout-color2", "#e5e7eb"],
  "error": ["--vscode-errorForeground", "--jp-error-color1", "#cf222e"],
  "warning": ["--vscode-editorWarning-foreground", "--jp-warn-color0", "#9a6700"],
  "forward": ["--vscode-charts-blue", "--jp-brand-color1", "#0969da"],
  "backward": ["--vscode-charts-orange", "--jp-warn-color1", "#d18616"],
  "optimizer": ["--vscode-charts-green", "--jp-success-color1", "#388a34"],
  "graph": ["--vscode-charts-purple", "--jp-info-color1", "#8250df"],
  "edge": ["--vscode-contrastBorder", "--vscode-disabledForeground", "--jp-ui-font-color3", "#9aa4ae"],
  "stop": ["--vscode-editor-stackFrameHighlightBackground", "--gd-stop-mix"],
  "loss": ["--vscode-charts-red", "--jp-error-color1", "#cf222e"],
};

function value(sources: readonly string[]): string {
  const [first = "", ...others] = sources;
  if (!first.startsWith("--")) return first;
  return others.length === 0 ? `var(${first})` : `var(${first}, ${value(others)})`;
}

const properties = Object.entries(PROPERTIES)
  .map(([name, sources]) => `--gd-${name}: ${value(sources)};`)
  .join("\n");

export const STYLE = `
:host {
  ${properties}
  --gd-chosen-mix: color-mix(in srgb, var(--gd-accent) 22%, transparent);
  --gd-stop-mix: rgb(255 200 0 / 0.25);
  --gd-outline: var(--vscode-contrastActiveBorder, transparent);
  display: block;
  position: relative;
  overflow: hidden;
  color: var(--gd-foreground);
  font: var(--gd-font-size) var(--gd-font);
}
* { box-sizing: border-box; }
.view { position: absolute; inset: 0; display: flex; flex-direction: column; min-height: 0; }
.grow { flex: 1 1 0; min-width: 0; }
.ellipsis { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; min-width: 0; }
.muted { color: var(--gd-muted); }
.strong { font-weight: 600; }
.numeric { font-variant-numeric: tabular-nums; }
.code { font-family: var(--gd-code-font); font-size: 0.92em; }
.icon { width: 16px; height: 16px; fill: none; stroke: currentColor; stroke-width: 1.3;
  stroke-linecap: round; stroke-linejoin: round; vertical-align: -3px; flex: none; }
.bar { display: flex; align-items: center; gap: 6px; padding: 4px 8px; flex: none; min-height: 30px; }
.filters { padding-top: 0; flex-wrap: wrap; }
.empty { margin: 0; padding: 12px 16px; color: var(--gd-muted); line-height: 1.5; }

button, input, select { font: inherit; color: inherit; }
button { cursor: pointer; }
button:disabled { cursor: default; opacity: 0.45; }
:focus { outline: none; }
:focus-visible { outline: 1px solid var(--gd-accent); outline-offset: -1px; }
.iconButton { border: 1px solid transparent; border-radius: 4px; background: none; padding: 2px; width: 22px; height: 22px;
  display: inline-flex; align-items: center; justify-content: center; flex: none; }
.iconButton:hover:not(:disabled) { background: var(--gd-toolbar-hover); }
.iconButton[aria-pressed="true"] { background: var(--gd-chosen-mix); border-color: var(--gd-accent); }
.button, .chip { border: 1px solid var(--vscode-button-border, var(--vscode-contrastBorder, transparent)); border-radius: 3px;
  background: var(--gd-button); color: var(--gd-button-foreground); padding: 2px 8px; line-height: 18px; white-space: nowrap; }
.chip { border-radius: 11px; padding: 1px 9px; }
.pressed { border-color: var(--gd-accent); background: var(--gd-chosen-mix); color: var(--gd-foreground); }
.link { border: 0; background: none; padding: 0; color: var(--gd-link); text-decoration: none; text-align: left; cursor: pointer; }
.link:hover { text-decoration: underline; }
.row[aria-selected="true"] .link { color: inherit; text-decoration: underline; }
input, select { border: 1px solid var(--gd-input-border); border-radius: 3px; background: var(--gd-input);
  color: var(--gd-input-foreground); padding: 2px 6px; height: 24px; min-width: 0; }
input[type="search"] { min-width: 12ch; }
input[type="range"] { padding: 0; border: 0; background: none; accent-color: var(--gd-accent); }
input[type="number"] { width: 8ch; }

.notices:empty { display: none; }
.notice { margin: 0; padding: 5px 10px; border-bottom: 1px solid var(--gd-border); background: var(--gd-raised); line-height: 1.4; }
.notice.error { border-left: 3px solid var(--gd-error); }
.notice.warning { border-left: 3px solid var(--gd-warning); }

.chart { flex: none; height: 56px; margin: 0 8px 4px; border-bottom: 1px solid var(--gd-border); }
.chart canvas { display: block; cursor: pointer; }

.list { flex: 1 1 0; min-height: 66px; display: flex; flex-direction: column; }
.list:focus-visible { outline-offset: -1px; }
.headings { display: grid; gap: 8px; padding: 0 10px; height: 22px; align-items: center; flex: none;
  color: var(--gd-muted); font-size: 0.9em; border-bottom: 1px solid var(--gd-border); scrollbar-gutter: stable; overflow: hidden; }
.headings span { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.scroller { flex: 1 1 0; overflow: auto; scrollbar-gutter: stable; min-height: 0; }
.canvas { position: relative; overflow: hidden; }
.row { position: absolute; left: 0; right: 0; top: 0; height: 22px; display: grid; gap: 8px; align-items: center;
  padding: 0 10px; cursor: pointer; contain: strict; white-space: nowrap; border: 1px solid transparent; border-width: 0 0; }
.row:hover { background: var(--gd-hover); }
.row[aria-selected="true"] { background: var(--gd-chosen-blurred); outline: 1px solid var(--gd-outline); outline-offset: -1px; }
.list:focus .row[aria-selected="true"] { background: var(--gd-chosen); color: var(--gd-chosen-foreground); }
.list:focus .row[aria-selected="true"] .muted { color: inherit; }
.timed { position: relative; height: 16px; line-height: 16px; overflow: hidden; }
.timed .share { position: absolute; inset: 0 auto 0 0; background: var(--gd-forward); opacity: 0.22; border-radius: 2px; }
.timed .numeric { position: relative; padding-left: 4px; }
.badge, .severe { color: var(--gd-error); }
.row[aria-selected="true"] .badge { color: inherit; }
.warned { color: var(--gd-warning); }
.backward-count { color: var(--gd-muted); }
.phase { display: inline-block; width: 4px; height: 16px; border-radius: 2px; background: var(--gd-forward); flex: none; }
.phase.backward { background: var(--gd-backward); }
.phase.optimizer { background: var(--gd-optimizer); }
.phase.graph { background: var(--gd-graph); }

.details { flex: 0 1 auto; max-height: 45%; overflow: auto; border-top: 1px solid var(--gd-border); padding: 8px 10px; }
.details h2 { display: flex; gap: 8px; align-items: center; margin: 0 0 6px; font-size: 1em; font-weight: 600; }
.details dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 3px 12px; margin: 0; }
.details dt { color: var(--gd-muted); }
.details dd { margin: 0; min-width: 0; display: flex; flex-wrap: wrap; gap: 0 6px; overflow-wrap: anywhere; }
.details .message { margin: 0; line-height: 1.5; user-select: text; }
.tensors { list-style: none; margin: 0; padding: 0; width: 100%; }
.tensors li { padding-bottom: 2px; }

input[type="checkbox"] { height: 14px; width: 14px; margin: 0 2px 0 0; padding: 0; vertical-align: -2px; accent-color: var(--gd-accent); }
.split { flex: 1 1 0; min-height: 0; display: flex; border-top: 1px solid var(--gd-border); }
.split .details { flex: 0 0 300px; max-height: none; border-top: 0; border-left: 1px solid var(--gd-border); }
.graph { flex: 1 1 0; min-width: 0; position: relative; overflow: hidden; background: var(--gd-background); }
.graph canvas { position: absolute; inset: 0; cursor: grab; touch-action: none; }
.graph canvas:active { cursor: grabbing; }
.graph .empty { position: relative; }
.phases { position: absolute; left: 10px; bottom: 8px; display: flex; gap: 12px; padding: 3px 8px; border-radius: 4px;
  background: var(--gd-raised); border: 1px solid var(--gd-border); pointer-events: none; }
.spoken { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
.tabs { display: inline-flex; gap: 2px; }
.tabs [role="tab"] { border: 0; border-bottom: 2px solid transparent; background: none; padding: 3px 8px; color: var(--gd-muted); }
.tabs [role="tab"]:hover { color: var(--gd-foreground); }
.tabs [aria-selected="true"] { color: var(--gd-foreground); border-bottom-color: var(--gd-accent); }
.statistics { display: flex; flex-wrap: wrap; gap: 2px 16px; margin: 0; padding: 2px 8px 6px; }
.statistics div { display: flex; gap: 5px; }
.statistics dt { color: var(--gd-muted); }
.statistics dd { margin: 0; }
.statistics .severe { border: 1px solid currentColor; border-radius: 3px; padding: 0 6px; font-weight: 600; }
.statistics .severe dt { color: inherit; }
.dimensions { flex-wrap: wrap; }
.dimension { display: inline-flex; align-items: center; gap: 6px; }
.body { flex: 1 1 0; min-height: 0; display: flex; border-top: 1px solid var(--gd-border); }
.matrix { flex: 1; overflow: auto; min-width: 0; position: relative; font-family: var(--gd-code-font); font-size: 0.92em; }
.matrix .plane { position: relative; overflow: hidden; }
.matrix .cells { display: contents; }
.cell { position: absolute; left: 0; top: 0; height: 22px; line-height: 22px; padding: 0 8px; text-align: right;
  overflow: hidden; text-overflow: ellipsis; white-space: nowrap; font-variant-numeric: tabular-nums; contain: strict;
  border-right: 1px solid color-mix(in srgb, var(--gd-border) 45%, transparent);
  border-bottom: 1px solid color-mix(in srgb, var(--gd-border) 45%, transparent); }
.cell.head { background: var(--gd-raised); color: var(--gd-muted); z-index: 1; border-color: var(--gd-border); }
.cell.side { z-index: 2; }
.cell.corner { z-index: 3; }
.cell.nan { background: rgb(255 0 255); color: #000; font-weight: 600; }
.cell.inf { background: rgb(255 140 0); color: #000; font-weight: 600; }
.matrix:focus .cell[aria-selected="true"] { outline: 2px solid var(--gd-accent); outline-offset: -2px; }
.pictured { flex: 1; min-width: 0; display: flex; flex-direction: column; }
.frame { flex: 1 1 0; min-height: 0; display: flex; align-items: center; justify-content: center; overflow: hidden; }
.frame canvas { image-rendering: pixelated; }
.uplot, .uplot *, .uplot *::before, .uplot *::after { box-sizing: border-box; }
.u-wrap { position: relative; user-select: none; }
.u-over, .u-under { position: absolute; }
.u-under { overflow: hidden; }
.uplot canvas { display: block; position: relative; width: 100%; height: 100%; }
.u-axis { position: absolute; }
.u-select { position: absolute; pointer-events: none; }
.u-hz .u-cursor-x, .u-vt .u-cursor-y { height: 100%; border-right: 1px dashed var(--gd-muted); }
.u-hz .u-cursor-y, .u-vt .u-cursor-x { width: 100%; border-bottom: 1px dashed var(--gd-muted); }
.u-cursor-x, .u-cursor-y { position: absolute; left: 0; top: 0; pointer-events: none; }
.u-cursor-pt { display: none; }
.u-off { display: none; }
.frame .uplot canvas { image-rendering: auto; }
.legend { border-top: 1px solid var(--gd-border); }
.ramp { width: 120px; height: 10px; border-radius: 2px; }
.key { display: inline-flex; align-items: center; gap: 4px; }
.swatch { width: 10px; height: 10px; border-radius: 2px; }
`;
