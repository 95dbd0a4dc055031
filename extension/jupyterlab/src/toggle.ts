/** The button in each notebook's toolbar: whether its programs are recorded. */

import { ToolbarButton } from "@jupyterlab/ui-components";
import type { DocumentRegistry } from "@jupyterlab/docregistry";
import type { INotebookModel, NotebookPanel } from "@jupyterlab/notebook";
import { DisposableDelegate, type IDisposable } from "@lumino/disposable";

import type { NotebookHost } from "./host";
import { icon } from "./icon";

export class RecordingToggle implements DocumentRegistry.IWidgetExtension<NotebookPanel, INotebookModel> {
  constructor(
    private readonly host: NotebookHost,
    private readonly toggle: () => void,
  ) {}

  createNew(panel: NotebookPanel): IDisposable {
    const button = new ToolbarButton({
      className: "graphdebug-toggle",
      icon,
      tooltip: "Record the steps of this notebook's programs (graphdebug)",
      onClick: this.toggle,
      pressed: true,
    });
    panel.toolbar.insertItem(panel.toolbar.layout ? 11 : 0, "graphdebug", button);
    const listening = this.host.on("configuration", ({ capture }) => {
      if (panel.sessionContext.session?.kernel?.id === this.host.link?.id) button.pressed = capture !== "off";
    });
    return new DisposableDelegate(() => {
      listening.dispose();
      button.dispose();
    });
  }
}
