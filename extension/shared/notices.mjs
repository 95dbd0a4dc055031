// What the licences of bundled packages ask to be passed on: their names, and the licences' words.
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";

const HEAD = `This holds software of others, each under its own licence.

elkjs, which lays out graphs, is under the Eclipse Public License 2.0. It is bundled unchanged, and its
source is at https://github.com/kieler/elkjs.
`;

/** The notices for what esbuild's metafiles say was bundled; their paths are relative to `directory`. */
export function notices(metafiles, directory) {
  const inputs = metafiles.flatMap(({ inputs }) => Object.keys(inputs));
  const found = new Map();
  for (const path of inputs) {
    const [, place] = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path) ?? [];
    if (place === undefined) continue;
    const { name, version, license } = JSON.parse(readFileSync(resolve(directory, place, "package.json"), "utf8"));
    found.set(`${name} ${version} (${license})`, words(resolve(directory, place)));
  }
  const parts = [...found].sort(([a], [b]) => a.localeCompare(b)).map(([title, text]) => `${title}\n\n${text.trim()}\n`);
  return [HEAD, ...parts].join(`\n${"-".repeat(78)}\n\n`);
}

function words(place) {
  const file = readdirSync(place).find((name) => /^(licen[cs]e|copying)/i.test(name));
  return file === undefined ? "" : readFileSync(join(place, file), "utf8");
}
