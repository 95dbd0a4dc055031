// Bundles the plugin and the views to lib/, for jupyter-builder to make JupyterLab's extension of.
// What JupyterLab brings itself stays outside.
import { build } from "esbuild";
import { rmSync, writeFileSync } from "node:fs";

import { bundling } from "../shared/bundling.mjs";
import { notices } from "../shared/notices.mjs";

rmSync("lib", { recursive: true, force: true });
const { metafile } = await build({
  ...bundling,
  entryPoints: ["src/index.ts"],
  outdir: "lib",
  bundle: true,
  metafile: true,
  splitting: true,
  format: "esm",
  target: "es2022",
  external: ["@jupyterlab/*", "@lumino/*"],
  logLevel: "warning",
});
writeFileSync("lib/ThirdPartyNotices.txt", notices([metafile], "."));
