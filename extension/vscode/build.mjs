// Bundles the extension and the page of its views into build/vscode.
import { build } from "esbuild";
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { bundling } from "../shared/bundling.mjs";
import { notices } from "../shared/notices.mjs";

export const ROOT = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
export const OUT = join(ROOT, "build", "vscode");

if (!existsSync(join(ROOT, "extension", "shared", "node_modules"))) {
  console.error("the views' libraries are missing: run `npm ci` in extension/shared first");
  process.exit(1);
}
rmSync(join(OUT, "page"), { recursive: true, force: true });
const both = { ...bundling, absWorkingDir: ROOT, bundle: true, minify: true, metafile: true, sourcemap: false, logLevel: "warning" };
const built = await Promise.all([
  build({
    ...both,
    entryPoints: ["extension/vscode/src/extension.ts"],
    outfile: join(OUT, "extension.js"),
    platform: "node",
    format: "cjs",
    target: "node18",
    external: ["vscode"],
    mainFields: ["module", "main"],
  }),
  build({
    ...both,
    entryPoints: ["extension/vscode/page/page.ts"],
    outdir: join(OUT, "page"),
    platform: "browser",
    format: "esm",
    splitting: true,
    target: "es2022",
  }),
]);
writeFileSync(join(OUT, "ThirdPartyNotices.txt"), notices(built.map(({ metafile }) => metafile), ROOT));
