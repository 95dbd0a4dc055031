// Opens a window whose extension host runs the checks in host/, and prints what they say.
import { join } from "node:path";
import { browser, Workbench } from "./workbench.mjs";

const { CODE_SERVER, FOLDER, CHECKOUT } = process.env;
const remote = (path) => `vscode-remote://${new URL(CODE_SERVER).host}${path}`;
const payload = [
  ["extensionDevelopmentPath", remote(CHECKOUT)],
  ["extensionDevelopmentPath", remote(join(CHECKOUT, "tests", "vscode", "python_extension"))],
  ["extensionTestsPath", remote(join(CHECKOUT, "tests", "vscode", "host", "index.js"))],
];

const chromium = await browser();
try {
  let end;
  const exit = new Promise((resolve) => (end = resolve));
  await Workbench.open(chromium, CODE_SERVER, FOLDER, {
    payload,
    prepare: async (page) => {
      await page.exposeFunction("codeAutomationLog", (_type, args) => {
        const text = args.map(String).join(" ");
        if (text.includes("[check] ")) console.log(text.slice(text.indexOf("[check] ") + "[check] ".length));
      });
      await page.exposeFunction("codeAutomationExit", (code) => end(code));
    },
  });
  process.exitCode = await exit;
} finally {
  await chromium.close();
}
