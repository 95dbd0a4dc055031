// Makes build/graphdebug-VERSION.vsix: the bundles, graphdebug, and the Python packages it needs.
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
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

rmSync(PYTHON_PARTS, { recursive: true, force: true });
mkdirSync(PYTHON_PARTS, { recursive: true });
pip("libraries", ...PURE, "--requirement", join(ROOT, "extension", "vscode", "requirements.txt"));
pip("debugpy", ...PURE, pinnedDebugpy());
const package_ = join(PYTHON_PARTS, "libraries", "graphdebug");
cpSync(join(ROOT, "graphdebug"), package_, { recursive: true });
cpSync(join(ROOT, "docs"), join(package_, "docs"), { recursive: true, filter: (path) => !path.endsWith(".png") });
cpSync(join(ROOT, "extension", "vscode", "entry.py"), join(PYTHON_PARTS, "entry.py"));
for (const entry of readdirSync(PYTHON_PARTS, { recursive: true, withFileTypes: true })) {
  if (NOT_NEEDED.test(entry.name)) rmSync(join(entry.parentPath, entry.name), { recursive: true, force: true });
}

const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
const vsix = join(ROOT, "build", `graphdebug-${version}.vsix`);
const documents = ["--readme-path", "extension/vscode/README.md", "--changelog-path", "extension/vscode/CHANGELOG.md"];
const options = ["--no-dependencies", "--allow-missing-repository", "--skip-license", "--no-rewrite-relative-links"];
const vsce = join(ROOT, "node_modules", "@vscode", "vsce", "vsce");
execFileSync(process.execPath, [vsce, "package", ...options, ...documents, "--out", vsix], {
  cwd: ROOT,
  stdio: ["ignore", "ignore", "inherit"],
});
console.log(vsix);
