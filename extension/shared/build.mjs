// Bundles the views to dist/: one module for pages, and parts of it that are loaded when needed.
// `node build.mjs test` bundles the unit tests to dist-test/ instead.
import { build } from "esbuild";
import { readdirSync, rmSync } from "node:fs";

import { bundling } from "./bundling.mjs";

const shared = {
  ...bundling,
  bundle: true,
  format: "esm",
  target: "es2022",
  logLevel: "warning",
  sourcemap: "linked",
  sourcesContent: false,
};

if (process.argv[2] === "test") {
  rmSync("dist-test", { recursive: true, force: true });
  await build({
    ...shared,
    entryPoints: readdirSync("test").filter((name) => /\.test\.tsx?$/.test(name)).map((name) => `test/${name}`),
    outdir: "dist-test",
    platform: "node",
    packages: "external",
    outExtension: { ".js": ".mjs" },
  });
} else {
  rmSync("dist", { recursive: true, force: true });
  await build({
    ...shared,
    entryPoints: ["src/index.ts"],
    outdir: "dist",
    platform: "browser",
    splitting: true,
    minify: true,
    legalComments: "linked",
  });
}
