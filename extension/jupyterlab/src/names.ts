/**
 * Files of cells under names that people know. The kernel compiles a cell as `.../2121977823.py`; views
 * get `.../2121977823.py#/cell 7` and show the last part.
 */

const MARK = "#/";

/** A path as the kernel knows it. */
export function plain(path: string): string {
  return path.split(MARK)[0] ?? path;
}

/** A JSON value in which each source's path is named by `name`, if that has a name for it. */
export function named<T>(value: T, name: (path: string) => string | undefined): T {
  if (Array.isArray(value)) return value.map((item: unknown) => named(item, name)) as T;
  if (typeof value !== "object" || value === null) return value;
  const all = Object.entries(value).map(([key, item]) => [key, named(item as unknown, name)]);
  const result = Object.fromEntries(all) as Record<string, unknown>;
  const { path, line } = result;
  if (typeof path === "string" && typeof line === "number") {
    const found = name(path);
    if (found !== undefined) result["path"] = `${path}${MARK}${found}`;
  }
  return result as T;
}
