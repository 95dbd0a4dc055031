/** Files of environment variables: one NAME=VALUE a line, as `.env` files have them. */

const LINE = /^\s*(?:export\s+)?([A-Za-z_][\w.]*)\s*=\s*(.*?)\s*$/;

/** The variables of a file's text. `${NAME}` stands for an earlier variable, or one of `base`. */
export function parse(text: string, base: NodeJS.ProcessEnv): Record<string, string> {
  const variables: Record<string, string> = {};
  for (const line of text.split(/\r?\n/)) {
    const [, name, written] = LINE.exec(line) ?? [];
    if (name === undefined || written === undefined) continue;
    const quoted = /^(["'])(.*)\1(?:\s*#.*)?$/.exec(written);
    const value = quoted?.[2] ?? written.replace(/\s+#.*$/, "");
    variables[name] = quoted?.[1] === "'" ? value : filled(value, { ...base, ...variables });
  }
  return variables;
}

function filled(value: string, variables: NodeJS.ProcessEnv): string {
  return value.replace(/\$\{(\w+)\}/g, (whole, name: string) => variables[name] ?? "");
}
