// What a person does with the seed's notebook and with one that trains, and what is seen then, as JSON.
import { browser, Lab } from "./lab.mjs";

const [url, token, picture] = process.argv.slice(2);
const seen = {};
const chromium = await browser();
try {
  const lab = await Lab.open(chromium, url, token, "seed.ipynb");
  await lab.debuggerOn();
  await lab.show();
  await lab.breakpoint(1, "first_counter = tf.add");
  await lab.breakpoint(6, "second_counter += 1");
  seen.messages = await lab.messages(2);
  seen.stops = {};
  for (const cell of [0, 1, 2, 3, 4, 5, 6, 7]) {
    await lab.start(cell);
    const says = cell < 6;
    for (let stop = await lab.stopOrEnd(says); stop; stop = await lab.stopOrEnd(says)) {
      (seen.stops[cell] ??= []).push({ ...stop, steps: await lab.steps() });
      if (picture && cell === 3) await lab.pictures(picture);
      if (picture && seen.stops[6]?.length === 5) await lab.pictures(picture.replace(".png", "-eager.png"));
      if (cell === 6 && seen.stops[6].length === 10) seen.tensor = await lab.tensor("second_counter");
      await lab.goOn();
    }
  }
  await lab.stepsAre(11);
  seen.seed = await lab.stepRows();
  seen.nodes = await lab.nodes(0);
  await lab.sidebar.locator(".link", { hasText: "cell 7:3" }).first().click();
  seen.cell = await lab.activeCell();

  await lab.debuggerOff();
  await lab.openNotebook("mlp.ipynb");
  for (const cell of [0, 1, 2]) await lab.run(cell);
  await lab.stepsAre(6);
  await lab.start(3);
  seen.streamed = [];
  for (let more = 6; seen.streamed.length < 3; seen.streamed.push(more)) more = await lab.stepsBeyond(more);
  seen.busy = await lab.status();
  await lab.command("notebook:interrupt-kernel");
  await lab.idle();
  await lab.settled();
  const trained = await lab.steps();
  await lab.openNotebook("seed.ipynb");
  await lab.stepsAre(11);
  await lab.openNotebook("mlp.ipynb");
  await lab.stepsAre(trained);
  await lab.toggle(false);
  await lab.run(2);
  seen.unrecorded = (await lab.steps()) - trained;
  await lab.toggle(true);
  await lab.restart();
  await lab.stepsAre(0);
  for (const cell of [0, 1, 2]) await lab.run(cell);
  await lab.stepsAre(6);
  seen.set = [await lab.set("capture", "steps"), await lab.set("capture", "nodes")];
  await lab.openNotebook("mlp.ipynb");
  seen.light = await lab.background();
  await lab.command("apputils:change-theme", { theme: "JupyterLab Dark" });
  seen.dark = await lab.background(seen.light);
  seen.errors = lab.errors;
  seen.outside = lab.outside;
  seen.done = true;
} catch (error) {
  seen.failed = String(error?.stack ?? error);
  const page = chromium.contexts()[0]?.pages()[0];
  if (page && picture) await page.screenshot({ path: `${picture}.failed.png` });
} finally {
  await chromium.close();
}
console.log(JSON.stringify(seen));
