// Runs the folder's program with Steps, Nodes and the graph open, and prints how long the page's thread was busy at once.
import { browser, until, Workbench } from "./workbench.mjs";

const { CODE_SERVER, FOLDER, PROGRAM, MILLISECONDS } = process.env;

const chromium = await browser();
try {
  const window = await Workbench.open(chromium, CODE_SERVER, FOLDER);
  await window.openFile(PROGRAM);
  await window.page.keyboard.press("F5");
  await window.command("View: Show Run and Debug");
  await window.page.locator(".pane-header", { hasText: "Steps" }).waitFor();
  await window.focusView("Steps");
  const steps = await window.view("steps");
  await steps.getByText(/^[\d,.\s]+ steps/).waitFor();
  await window.focusView("Nodes");
  const shown = async () => Number((await steps.getByText(/^[\d,.\s]+ steps/).innerText()).replace(/ steps.*| /gs, "").replace(/\D/g, ""));
  const before = await shown();
  console.log("streaming");
  const busy = await window.page.evaluate(async (milliseconds) => {
    const blocks = [];
    const observer = new PerformanceObserver((list) => blocks.push(...list.getEntries().map(({ duration }) => duration)));
    observer.observe({ type: "longtask" });
    await new Promise((resolve) => setTimeout(resolve, milliseconds));
    observer.disconnect();
    return blocks;
  }, Number(MILLISECONDS));
  const after = await until(async () => {
    const now = await shown();
    return now > before && now;
  });
  await window.end();
  busy.sort((a, b) => b - a);
  console.log(JSON.stringify({ longest: busy[0] ?? 0, blocks: busy.length, sum: busy.reduce((a, b) => a + b, 0), steps: after - before }));
} finally {
  await chromium.close();
}
