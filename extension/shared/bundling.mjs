// What whoever bundles the views' sources with esbuild has to pass on: build({ ...bundling, ... }).
import { readFile } from "node:fs/promises";

/** elkjs's worker is loaded as text: pages of editors make workers of blobs alone. */
const workerAsText = {
  name: "worker-as-text",
  setup: ({ onLoad }) =>
    onLoad({ filter: /elk-worker\.min\.js$/ }, async ({ path }) => ({
      contents: await readFile(path, "utf8"),
      loader: "text",
    })),
};

export const bundling = { plugins: [workerAsText] };
