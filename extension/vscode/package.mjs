// Makes build/graphdebug-VERSION.vsix: the bundles, graphdebug, and the Python packages it needs.
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { OUT, ROOT } from "./build.mjs";

const PYTHON_PARTS = join(OUT, "python");
/** The pure wheel of debugpy, which runs under any interpreter; its compiled parts are for one each. */
const PURE = ["--only-binary=:all:", "--python-version=3.10", "--implementation=py", "--abi=none"];
/** What is there to compile debugpy, or to debug its own compiled parts; and what running leaves. */
const NOT_NEEDED = /\.(pdb|c|cpp|pyx|pxd|pyd)$|^(__pycache__|bin)$/;

const python =
  process.env.PYTHON ??
  [".venv/bin/python", ".venv/Scripts/python.exe"].map((path) => join(ROOT, path)).find(existsSync) ??
  "python3";

function pip(target, ...args) {
  const directory = join(PYTHON_PARTS, target);
  const options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--no-compile", "--target", directory];
  execFileSync(python, ["-m", "pip", "install", ...options, ...args], { stdio: "inherit" });
}

function pinnedDebugpy() {
  const [, pin] = readFileSync(join(ROOT, "pyproject.toml"), "utf8").match(/"(debugpy==[^"]+)"/);
  return pin;
}

/** Installing takes ten seconds and changes only with what is pinned. */
function thirdParty() {
  const requirements = join(ROOT, "extension", "vscode", "requirements.txt");
  const wanted = readFileSync(requirements, "utf8") + pinnedDebugpy();
  const stamp = join(PYTHON_PARTS, ".installed");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) return;
  rmSync(PYTHON_PARTS, { recursive: true, force: true });
  pip("libraries", ...PURE, "--requirement", requirements);
  pip("debugpy", ...PURE, pinnedDebugpy());
  writeFileSync(stamp, wanted);
}

function ours() {
  const target = join(PYTHON_PARTS, "libraries", "graphdebug");
  rmSync(target, { recursive: true, force: true });
  const notOfPython = join(ROOT, "graphdebug", "jupyter", "labextension");
  cpSync(join(ROOT, "graphdebug"), target, { recursive: true, filter: (path) => path !== notOfPython });
  cpSync(join(ROOT, "docs"), join(target, "docs"), { recursive: true, filter: (path) => !/\.(png|svg)$/.test(path) });
  cpSync(join(ROOT, "extension", "vscode", "entry.py"), join(PYTHON_PARTS, "entry.py"));
}

thirdParty();
ours();
for (const entry of readdirSync(PYTHON_PARTS, { recursive: true, withFileTypes: true })) {
  if (NOT_NEEDED.test(entry.name)) rmSync(join(entry.parentPath, entry.name), { recursive: true, force: true });
}

// vsce looks through all that lies beside the manifest: so what it is to pack is put apart.
const { version, files } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
const apart = join(ROOT, "build", "vsix");
rmSync(apart, { recursive: true, force: true });
for (const path of ["package.json", ...files]) cpSync(join(ROOT, path), join(apart, path), { recursive: true });

const vsix = join(ROOT, "build", `graphdebug-${version}.vsix`);
const documents = ["--readme-path", "extension/vscode/README.md", "--changelog-path", "extension/vscode/CHANGELOG.md"];
// What would be searched for secrets comes from the registry, or is committed.
const options = ["--no-dependencies", "--allow-missing-repository", "--no-rewrite-relative-links"];
const vsce = join(ROOT, "node_modules", "@vscode", "vsce", "vsce");
execFileSync(process.execPath, [vsce, "package", ...options, "--allow-package-all-secrets", ...documents, "--out", vsix], {
  cwd: apart,
  stdio: ["ignore", "ignore", "inherit"],
});
rmSync(apart, { recursive: true });
console.log(vsix);
