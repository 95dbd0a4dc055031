import js from "@eslint/js";
import typescript from "typescript-eslint";

const strict = [js.configs.recommended, ...typescript.configs.strictTypeChecked, ...typescript.configs.stylisticTypeChecked];

export default [
  { ignores: ["**/node_modules/", "build/"] },
  ...strict.map((config) => ({ ...config, files: ["extension/vscode/**/*.ts"] })),
  {
    files: ["extension/vscode/**/*.ts"],
    languageOptions: { parserOptions: { project: "extension/vscode/tsconfig.json", tsconfigRootDir: import.meta.dirname } },
    rules: { "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }] },
  },
  { ...js.configs.recommended, files: ["extension/vscode/*.mjs", "tests/vscode/**/*.mjs"] },
  {
    files: ["extension/vscode/*.mjs", "tests/vscode/**/*.mjs"],
    languageOptions: { globals: { console: "readonly", URL: "readonly", process: "readonly", setTimeout: "readonly", document: "readonly", window: "readonly", URLSearchParams: "readonly", Buffer: "readonly", fetch: "readonly", performance: "readonly", PerformanceObserver: "readonly" } },
  },
];
