// Bundles the views to dist/: one module for pages, and parts of it that are loaded when needed.
// `node build.mjs test` bundles the unit tests to dist-test/ instead.
import { build } from "esbuild";
import { readFile } from "node:fs/promises";
import { readdirSync, rmSync } from "node:fs";

/** Pages of editors make workers of text alone. */
const workerAsText = {
  name: "worker-as-text",
  setup: ({ onLoad }) =>
    onLoad({ filter: /elk-worker\.min\.js$/ }, async ({ path }) => ({
      contents: await readFile(path, "utf8"),
      loader: "text",
    })),
};

const shared = {
  bundle: true,
  format: "esm",
  target: "es2022",
  logLevel: "warning",
  sourcemap: "linked",
  sourcesContent: false,
  loader: { ".css": "text" },
  plugins: [workerAsText],
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
