// Bundles the plugin and the views to lib/, for jupyter-builder to make JupyterLab's extension of.
// What JupyterLab brings itself stays outside.
import { build } from "esbuild";
import { rmSync } from "node:fs";

import { bundling } from "../shared/bundling.mjs";

rmSync("lib", { recursive: true, force: true });
await build({
  ...bundling,
  entryPoints: ["src/index.ts"],
  outdir: "lib",
  bundle: true,
  splitting: true,
  format: "esm",
  target: "es2022",
  external: ["@jupyterlab/*", "@lumino/*"],
  logLevel: "warning",
});
